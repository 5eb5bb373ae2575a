"""The operator as a whole: puts its parts together, runs them, and takes them down again."""

import asyncio
import logging
import signal
import socket
import uuid
from collections.abc import AsyncIterator, Coroutine
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime
from functools import partial
from typing import Any, TypeVar

from prometheus_client import CollectorRegistry

from stoker_api.resource import API_VERSION, KIND
from stoker_operator import handlers, site
from stoker_operator.api_errors import ClusterError
from stoker_operator.catching_up import Process, catch_up
from stoker_operator.channel import Limits
from stoker_operator.cluster import Cluster
from stoker_operator.lease import Candidate, Leadership
from stoker_operator.making import Making
from stoker_operator.measures import Measures
from stoker_operator.metrics import WorldCollector
from stoker_operator.orders import Orders
from stoker_operator.page.board import Board
from stoker_operator.page.serving import application
from stoker_operator.queue import WorkQueue
from stoker_operator.reconcile import Reconciler
from stoker_operator.recorder import Recorder
from stoker_operator.sidecars import Sidecars
from stoker_operator.telling import Telling
from stoker_operator.watching import Watcher
from stoker_operator.wishes import Wishes
from stoker_operator.world import POD, RESOURCE, Change, Key, World, is_settled

_log = logging.getLogger(__name__)

_GRACE_SECONDS = 10.0
"""For passes that are under way when the operator is told to stop."""
_HUNG_SECONDS = 600.0
"""No pass takes as long: each of its requests has a time-out, and few attempts."""

_CATCHING_UP_SECONDS = 10.0
"""It is for speed alone."""
_UNCHANGED_SECONDS = 3.0
"""At the start, what has changed meanwhile goes before a thousand that have not."""
_RUNNING = ("Deployment", POD)
_BURST_SECONDS = 0.2
"""A pod that becomes hot is told of many times, and its Deployment too: one pass for all of it."""
_NO_KIND_SECONDS = 5.0
_CONNECTIONS = 64
"""Enough for all passes; each watch has one of its own."""
_LEASE = "stoker-operator"
T = TypeVar("T")


async def run(orders: Orders) -> None:
    """Works until SIGTERM or SIGINT; an error where it cannot go on."""
    told_to_stop = _told_to_stop()
    async with AsyncExitStack() as stack:
        limits = Limits(connections=_CONNECTIONS + len(orders.looks))
        cluster = await stack.enter_async_context(Cluster.connect(orders.access, limits))
        operator = Operator(orders, cluster)
        registry = CollectorRegistry()
        operator.register(registry)
        probes = site.probes(registry, operator.is_live, operator.is_ready)
        port = await stack.enter_async_context(site.serving(probes, orders.listen))
        _log.info("operator started", extra={"port": port, "identity": operator.identity})
        if orders.page is not None:
            await stack.enter_async_context(operator.showing(orders.page))
        async with _task(operator.lead()) as leading, _task(told_to_stop.wait()) as stopping:
            await asyncio.wait((leading, stopping), return_when=asyncio.FIRST_COMPLETED)
            if leading.done():
                await leading
    _log.info("operator stopped")


class Operator:
    """The work itself, done by the replica that leads."""

    def __init__(self, orders: Orders, cluster: Cluster) -> None:
        # Unique, so that no process takes the Lease of its predecessor in the same pod for its own.
        self.identity = f"{socket.gethostname()}-{uuid.uuid4().hex[:8]}"
        self._orders = orders
        self._cluster = cluster
        self._world = World()
        self._queue = WorkQueue()
        self._watchers: list[Watcher] = []
        self._leadership: Leadership | None = None
        self._leads = False
        self._trouble: str | None = None
        """Why it cannot begin."""

    def register(self, registry: CollectorRegistry) -> None:
        """Has its figures among the metrics."""
        self._measures = Measures(registry)
        registry.register(
            WorldCollector(self._world, lambda: self._queue.figures, lambda: self._leads)
        )

    def is_live(self) -> str | None:
        """What only a restart can mend."""
        seconds = self._queue.figures.longest_pass_seconds
        return f"a pass hangs for {seconds:.0f} s" if seconds > _HUNG_SECONDS else None

    def is_ready(self) -> str | None:
        """What keeps it from its work; a replica that waits to lead is ready to."""
        blind = [each for each in self._watchers if not each.has_listed.is_set()]
        return next((each.trouble or "still reading what there is" for each in blind), None)

    @asynccontextmanager
    async def showing(self, listen: tuple[str, int]) -> AsyncIterator[None]:
        """The status page, while the block lasts."""
        async with Sidecars() as sidecars:
            board = Board(self._world, sidecars if self._orders.reads_sidecars else None)
            self._world.onlooker = board.saw
            page = application(board, partial(self._absence, listen[1]), listen[0])
            async with site.serving(page, listen) as port:
                _log.info("page shown", extra={"url": f"http://{listen[0]}:{port}/"})
                yield

    def _absence(self, port: int) -> str | None:
        """Why there is nothing to show here."""
        if self._leads:
            return None
        leader = self._leadership.holder if self._leadership else self.identity
        if leader in (None, self.identity):
            why = self._trouble or self.is_ready() or "it will be a moment"
            return f"The operator has not begun yet: {why}"
        pod, _, _ = str(leader).rpartition("-")
        return (
            f"This replica waits. The one that leads has the page: kubectl port-forward"
            f" --namespace {self._orders.lease_namespace} pod/{pod} {port}"
        )

    async def lead(self) -> None:
        """Waits until it may lead, and works while it does; ends only by an error."""
        if self._orders.lease_namespace is None:
            await self._work()
            return
        who = Candidate(self._orders.lease_namespace, _LEASE, self.identity)
        self._leadership = Leadership(self._cluster, who)
        async with self._leadership.held() as lost, _task(self._work()) as work:
            await asyncio.wait((work, lost), return_when=asyncio.FIRST_COMPLETED)
            await (lost if lost.done() else work)

    async def _work(self) -> None:
        await self._until_there_is_a_kind()
        async with AsyncExitStack() as stack:
            self._watchers = [
                Watcher(self._cluster, look, self._seen, self._wake_all)
                for look in self._orders.looks
            ]
            process = self._process(await stack.enter_async_context(self._reconciler()))
            await self._catch_up(process)
            for watcher in self._watchers:
                await stack.enter_async_context(_task(watcher.run()))
            await stack.enter_async_context(self._listening())
            # A pass that knew but half of what there is would look for the rest.
            for watcher in self._watchers:
                await watcher.has_listed.wait()
            making = await stack.enter_async_context(self._passes(process))
            self._leads = True
            try:
                await making
            finally:
                self._leads = False

    async def _until_there_is_a_kind(self) -> None:
        """Without the CustomResourceDefinition there is nothing to do; kopf would not say so."""
        while KIND not in await self._known_kinds():
            self._trouble = (
                "the API server does not know the kind: install it with"
                " `stoker crd | kubectl apply --server-side -f -`"
            )
            _log.warning("no LLMDeployments here", extra={"sentence": self._trouble})
            await asyncio.sleep(_NO_KIND_SECONDS)
        self._trouble = None

    async def _known_kinds(self) -> set[str]:
        while True:
            try:
                return await self._cluster.kinds(API_VERSION)
            except ClusterError as error:
                self._trouble = str(error)
                _log.warning("cannot begin", extra={"sentence": self._trouble})
                await asyncio.sleep(1)

    async def _catch_up(self, process: Process) -> None:
        """Sees to what has changed meanwhile, before all the rest has been read."""
        try:
            async with asyncio.timeout(_CATCHING_UP_SECONDS):
                namespaces, watchers = self._orders.namespaces, self._watchers
                await catch_up(self._cluster, namespaces, watchers, self._world, process)
        except (ClusterError, TimeoutError) as error:
            _log.info("nothing went first", extra={"sentence": str(error)})

    @asynccontextmanager
    async def _passes(self, process: Process) -> AsyncIterator[asyncio.Task[None]]:
        """Passes are made while the block lasts; those under way at its end are finished."""
        async with _task(self._queue.run(process, self._orders.workers)) as making:
            try:
                yield making
            finally:
                self._queue.stop(_GRACE_SECONDS)
                await asyncio.wait((making,))

    def _seen(self, change: Change) -> None:
        wait = self._wait(change)
        key = self._world.see(change)
        if key is not None:
            self._queue.add_after(key, wait)

    def _wait(self, change: Change) -> float:
        """How long a pass may wait for what comes with this change, or is more urgent."""
        if change.kind == RESOURCE:
            is_old = is_settled(change) and not self._world.knows(change)
            return _UNCHANGED_SECONDS if is_old else 0
        return _BURST_SECONDS if change.kind in _RUNNING and not change.gone else 0

    def _wake_all(self) -> None:
        for key in self._world.keys():  # noqa: SIM118 - it is no mapping
            self._queue.add(key)

    @asynccontextmanager
    async def _listening(self) -> AsyncIterator[None]:
        """Hears of LLMDeployments, from kopf's thread."""
        loop = asyncio.get_running_loop()

        def tell(change: Change) -> None:
            loop.call_soon_threadsafe(self._seen, change)

        listening = handlers.Listening(
            handlers.registry(tell, self._orders.access.connection), self._orders.namespaces
        )
        listening.start()
        try:
            yield
        finally:
            listening.stop()
            await asyncio.to_thread(listening.join, _GRACE_SECONDS)

    @asynccontextmanager
    async def _reconciler(self) -> AsyncIterator[Reconciler]:
        cluster, world, measures = self._cluster, self._world, self._measures
        async with Sidecars() as sidecars:
            yield Reconciler(
                world,
                Wishes(self._orders.settings),
                Making(cluster, world, measures),
                Telling(cluster, world, Recorder(cluster, self.identity), measures),
                sidecars if self._orders.reads_sidecars else None,
                measures,
            )

    def _process(self, reconciler: Reconciler) -> Process:
        async def process(key: Key) -> None:
            again = await reconciler.reconcile(key, datetime.now(UTC))
            if again is not None:
                self._queue.add_after(key, again)

        return process


def _told_to_stop() -> asyncio.Event:
    told = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, told.set)
    return told


@asynccontextmanager
async def _task(work: Coroutine[Any, Any, T]) -> AsyncIterator[asyncio.Task[T]]:
    """Done beside the block, and at its end no more."""
    task = asyncio.create_task(work)
    try:
        yield task
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
