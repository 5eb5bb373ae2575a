"""kopf: tells of every change of an LLMDeployment, and does nothing else.

No change handlers, timers or daemons: they would write annotations and finalizers onto what they
watch. The operator runs kopf in a thread of its own, because at its end kopf cancels every task of
its event loop that is younger than itself.
"""

import asyncio
import logging
import threading
from collections.abc import Awaitable, Callable, Collection
from contextlib import suppress
from typing import Any

from stoker_api.wire import DOMAIN
from stoker_operator.cluster import LISTED_AT_ONCE
from stoker_operator.connection import Connection
from stoker_operator.lean import kopf
from stoker_operator.session import opened
from stoker_operator.world import RESOURCE, Change

_PAUSE_SECONDS = 0.5
_ANY_NUMBER = 0
"""Of connections: there is a watch for each namespace."""

_log = logging.getLogger(__name__)


class _Forgetful(kopf.DiffBaseStorage):
    """Keeps no copy of objects to compare them with: there are no change handlers."""

    def build(self, **_: Any) -> kopf.BodyEssence:
        return kopf.BodyEssence({})

    def fetch(self, **_: Any) -> None:
        return None

    def store(self, **_: Any) -> None:
        """Never."""


def registry(
    tell: Callable[[Change], None], connection: Callable[[], Awaitable[Connection]]
) -> kopf.OperatorRegistry:
    """The handlers: one that signs in, and one that passes on."""
    handlers = kopf.OperatorRegistry()

    @kopf.on.login(registry=handlers)
    async def sign_in(**_: Any) -> kopf.AiohttpSession:
        found = await connection()
        session = opened(found, _ANY_NUMBER)
        return kopf.AiohttpSession(server=found.server, aiohttp_session=session)

    @kopf.on.event(DOMAIN, "v1alpha1", "llmdeployments", registry=handlers)
    async def pass_on(event: kopf.RawEvent, **_: Any) -> None:
        tell(Change(RESOURCE, dict(event["object"]), gone=event["type"] == "DELETED"))

    return handlers


def quieten() -> None:
    """Kopf logs what goes wrong alone; that its thread hears no signals is no such thing."""
    logging.getLogger("kopf").setLevel(logging.WARNING)
    logging.getLogger("kopf._core.reactor.running").setLevel(logging.ERROR)


def settings() -> kopf.OperatorSettings:
    """The settings of an onlooker: it writes nothing, and looks for nothing but LLMDeployments."""
    chosen = kopf.OperatorSettings()
    chosen.peering.standalone = True  # leadership is a Lease, taken before kopf starts
    chosen.posting.enabled = False
    chosen.scanning.disabled = True
    chosen.watching.chunk_size = LISTED_AT_ONCE
    chosen.watching.inactivity_timeout = 120.0  # bookmarks come 60 to 75 s apart
    chosen.persistence.diffbase_storage = _Forgetful()
    chosen.queueing.idle_timeout = 0.1  # each object that was told of has a task for so long
    chosen.networking.request_timeout = 30.0
    return chosen


class Listening(threading.Thread):
    """kopf, in its own thread with its own event loop, until it is told to stop.

    To kopf a watch that is refused is the end (a 410, a 403 of a moment). It then begins anew.
    """

    def __init__(self, handlers: kopf.OperatorRegistry, namespaces: Collection[str]) -> None:
        super().__init__(name="kopf", daemon=True)
        self._handlers = handlers
        self._namespaces = tuple(namespaces)
        self._told_to_stop = threading.Event()
        self._end: Callable[[], object] = self._told_to_stop.set

    def stop(self) -> None:
        """Asks it to end; it takes a moment."""
        self._told_to_stop.set()
        with suppress(RuntimeError):  # its loop has ended already
            self._end()

    def run(self) -> None:
        quieten()
        while not self._told_to_stop.is_set():
            try:
                asyncio.run(self._listen())
            except Exception as error:  # noqa: BLE001 - kopf's are of many kinds
                _log.warning("kopf begins anew", extra={"sentence": str(error)})
            self._told_to_stop.wait(_PAUSE_SECONDS)

    async def _listen(self) -> None:
        # One of this loop: for a thread's, kopf would have another thread wait for ever.
        ended, loop = asyncio.Event(), asyncio.get_running_loop()
        self._end = lambda: loop.call_soon_threadsafe(ended.set)
        if self._told_to_stop.is_set():
            return
        await kopf.operator(
            registry=self._handlers,
            settings=settings(),
            # Unused without peering; to find one of its own it would ask DNS, and wait.
            identity="stoker",  # type: ignore[arg-type]
            namespaces=self._namespaces,
            clusterwide=not self._namespaces,
            stop_flag=ended,
        )
