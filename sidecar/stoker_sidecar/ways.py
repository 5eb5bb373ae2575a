"""Follows the ways that clients would take, now and then, and says where they lead."""

import asyncio
import logging
from collections.abc import Callable, Collection
from dataclasses import dataclass

from stoker_api.wire import Api, Route, Routing
from stoker_sidecar.routing import Routes

_log = logging.getLogger(__name__)

OWN_SECONDS = 10.0
"""How often this pod's own address is looked at. It may gate."""

SERVICE_SECONDS = 30.0
"""How often the Service's is. It is only reported."""

LOOK_SECONDS = 0.5
"""How soon it is noticed that the model has become hot."""


@dataclass(frozen=True)
class Plan:
    """Which ways there are."""

    own_url: str | None
    """This pod's own address."""
    asks: frozenset[Api]
    """The APIs on which a few tokens are asked for, once each time that the model becomes hot. The
    others are only looked at."""


class Ways:
    """The newest findings about every way to this model."""

    def __init__(
        self,
        routes: Routes,
        plan: Plan,
        *,
        routing: Callable[[], Routing],
        is_hot: Callable[[], bool],
        on_own: Callable[[str | None], None],
    ) -> None:
        self.routes: tuple[Route, ...] = ()
        self._routes = routes
        self._plan = plan
        self._routing = routing
        self._is_hot = is_hot
        self._on_own = on_own

    async def run(self) -> None:
        """Looks until it is cancelled."""
        async with asyncio.TaskGroup() as group:
            group.create_task(self._again(self._look_at_own, OWN_SECONDS))
            group.create_task(self._again(self._look_at_service, SERVICE_SECONDS))

    async def _again(self, look: Callable[[bool], object], seconds: float) -> None:
        """Looks every so often, and at once when the model has become hot."""
        was_hot = False
        while True:
            is_hot = self._is_hot()
            await look(is_hot and not was_hot)  # type: ignore[misc]
            was_hot = is_hot
            await self._until(seconds, was_hot=was_hot)

    async def _until(self, seconds: float, *, was_hot: bool) -> None:
        for _ in range(round(seconds / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_hot() and not was_hot:
                return

    async def _look_at_own(self, ask: bool) -> None:  # noqa: FBT001
        if self._plan.own_url is None:
            return
        asks = ask and Api.OLLAMA in self._plan.asks
        self._on_own(await self._routes.own_address(self._plan.own_url, ask=asks))

    async def _look_at_service(self, ask: bool) -> None:  # noqa: FBT001
        routing = self._routing()
        if routing.service_url is None or not routing.apis:
            self.routes = ()
            return
        asking: Collection[Api] = self._plan.asks & set(routing.apis) if ask else ()
        before = {route.api: route.reason for route in self.routes}
        self.routes = await self._routes.service(
            routing.service_url, routing.apis, asking, hot=self._is_hot()
        )
        for route in self.routes:
            if before.get(route.api) != route.reason:
                level = logging.INFO if route.ok else logging.WARNING
                _log.log(
                    level,
                    "route looked at",
                    extra={"api": route.api, "reason": route.reason, "sentence": route.message},
                )
