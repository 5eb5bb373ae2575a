"""Follows the ways that clients would take, now and then, and says where they lead."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass

from stoker_api.wire import Api, Route, Routing
from stoker_sidecar.routing import Routes

_log = logging.getLogger(__name__)

OWN_SECONDS = 10.0
"""How often this pod's own address is looked at. It may gate."""

SERVICE_SECONDS = 30.0
"""How often the Service's is. It is only reported."""

NEW_SECONDS = 20.0
"""How long a pod that has become hot counts as new …"""

SOON_SECONDS = 1.0
"""… and how often its Service is looked at until it leads there."""

LOOK_SECONDS = 0.5
"""How soon it is noticed that the model has become hot."""


Look = Callable[[bool, bool], Awaitable[bool]]
"""Looks, and asks for a few tokens if the model has just become hot; whether all is well. It is
also told whether the pod counts as new."""


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

    async def _again(self, look: Look, seconds: float) -> None:
        """Looks every so often, at once when the model has become hot, and soon again after that.

        A Service needs a moment to lead to a pod that has just become hot.
        """
        hot_since: float | None = None
        while True:
            now, is_hot = asyncio.get_running_loop().time(), self._is_hot()
            became_hot = is_hot and hot_since is None
            hot_since = (hot_since or now) if is_hot else None
            is_new = hot_since is not None and now - hot_since < NEW_SECONDS
            good = await look(became_hot, is_new)
            wait = SOON_SECONDS if is_new and not good else seconds
            await self._until(wait, was_hot=hot_since is not None)

    async def _until(self, seconds: float, *, was_hot: bool) -> None:
        if was_hot:
            await asyncio.sleep(seconds)
            return
        for _ in range(round(seconds / LOOK_SECONDS)):
            await asyncio.sleep(LOOK_SECONDS)
            if self._is_hot():
                return

    async def _look_at_own(self, ask: bool, _: bool) -> bool:  # noqa: FBT001
        if self._plan.own_url is None:
            return True
        asks = ask and Api.OLLAMA in self._plan.asks
        self._on_own(await self._routes.own_address(self._plan.own_url, ask=asks))
        return True

    async def _look_at_service(self, ask: bool, is_new: bool) -> bool:  # noqa: FBT001
        routing = self._routing()
        if routing.service_url is None or not routing.apis:
            self.routes = ()
            return True
        asking: Collection[Api] = self._plan.asks & set(routing.apis) if ask else ()
        before = {route.api: route.reason for route in self.routes}
        routes = await self._routes.service(
            routing.service_url, routing.apis, asking, hot=self._is_hot()
        )
        self.routes = routes
        for route in routes:
            if before.get(route.api) != route.reason:
                self._log(route, is_news=route.ok or is_new or not self._is_hot())
        return all(route.ok for route in routes)

    def _log(self, route: Route, *, is_news: bool) -> None:
        level = logging.INFO if is_news else logging.WARNING
        fields = {"api": route.api, "reason": route.reason, "sentence": route.message}
        _log.log(level, "route looked at", extra=fields)
