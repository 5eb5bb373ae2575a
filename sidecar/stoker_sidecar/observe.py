"""The newest of everything that is looked at, gathered into observations.

Looking at processes and connections takes microseconds and is done on the spot. All that may take
longer is asked for in tasks of its own, one of each kind at a time: a question that hangs delays
neither the next heartbeat nor any other question.
"""

import asyncio
import time
from collections.abc import Callable
from dataclasses import dataclass

from stoker_sidecar.act import Deeds
from stoker_sidecar.exchange import ExchangeError, UnreachableError
from stoker_sidecar.hands import Hands
from stoker_sidecar.heat.judging.residence import REPLACED_SECONDS
from stoker_sidecar.heat.observation import (
    Deed,
    Life,
    Loaded,
    Observation,
    Outcome,
    Process,
    Processes,
    Server,
    Traffic,
)
from stoker_sidecar.meter import GpuMeter
from stoker_sidecar.ollama import Ollama
from stoker_sidecar.question import Question
from stoker_sidecar.runner import ExitWatch, OllamaProcesses
from stoker_sidecar.sockets import OllamaConnections
from stoker_sidecar.store import ANSWER_SECONDS, Store

RETURN_SECONDS = 15.0
"""How long an Ollama that is gone is asked for more often …"""

SOON_SECONDS = 0.1
"""… which is so often."""

SETTLE_SECONDS = 0.03
"""How long Ollama is left alone when one of its processes has ended."""

_CHANGES_WHAT_IS_LOADED = (Deed.LOAD, Deed.UNLOAD, Deed.KILL, Deed.RESTART)


@dataclass(frozen=True)
class Senses:
    """What there is to look with; None for what this machine does not offer."""

    ollama: Ollama
    processes: OllamaProcesses | None
    connections: OllamaConnections | None
    meter: GpuMeter | None
    hands: Hands


class Observer:
    """Looks at Ollama, its processes, its connections and the GPUs."""

    def __init__(
        self,
        senses: Senses,
        wake: Callable[[], None],
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.leaving = False
        self.route: str | None = None
        self.traffic: Traffic | None = None
        self._senses = senses
        self._wake = wake
        self._clock = clock
        self._exits = ExitWatch(self._ended)
        self._listing, self._store = Question(), Store(senses.ollama, wake, clock=clock)
        self._processes: Processes | None = None
        self._loaded: tuple[Loaded, ...] | None = None
        self._timers: dict[Callable[[], None], asyncio.TimerHandle] = {}
        self._unanswered_since: float | None = None
        self._down = False
        self._down_since = 0.0
        self._error: str | None = None

    @property
    def nvml_failures(self) -> int:
        """How often NVML could not tell."""
        return self._senses.meter.failures if self._senses.meter else 0

    @property
    def blind(self) -> tuple[str, ...]:
        """What cannot be seen and why, in sentences."""
        senses = self._senses
        parts = (
            senses.processes and senses.processes.out_of_sight,
            senses.connections and senses.connections.out_of_sight,
            self._exits.unavailable,
        )
        return tuple(part for part in parts if part)

    @property
    def told_wrong(self) -> str | None:
        """What it was told of Ollama's processes and is not so, in a sentence."""
        return self._senses.processes.told_wrong if self._senses.processes else None

    async def close(self) -> None:
        self._exits.close()
        for timer in self._timers.values():
            timer.cancel()
        await self._listing.close()
        await self._store.close()
        if self._senses.connections:
            self._senses.connections.close()
        if self._senses.meter:
            await self._senses.meter.close()

    def leave(self) -> None:
        """The pod is on its way out."""
        self.leaving = True
        self._wake()

    def found_route(self, reason: str | None) -> None:
        """Why this pod's own address leads elsewhere, if it does."""
        if self.route != reason:
            self.route = reason
            self._wake()

    # --- looking --------------------------------------------------------------------------------

    def beat(self) -> bool:
        """Looks at everything. False: an answer is about to come, and will wake whoever waits."""
        waits = self._listing.is_open
        self._look_at_processes()
        waits = waits or self._is_held()
        self._ask_what_is_loaded()
        self._store.beat()
        if self._senses.meter:
            self._senses.meter.beat(self._processes, empty=self._is_empty())
        return waits

    def observation(self, outcomes: tuple[Outcome, ...], deeds: Deeds) -> Observation:
        """Everything as it is known now."""
        runner = self._processes.runner if self._processes else None
        hands = self._senses.hands
        can_restart = hands.can_restart()
        return Observation(
            server=self._server(),
            processes=self._processes,
            traffic=self.traffic,
            gpus=self._senses.meter.newest() if self._senses.meter else None,
            route=self.route,
            can_kill=can_restart or (runner is not None and hands.can_signal(runner.pid)),
            can_restart=can_restart,
            leaving=self.leaving,
            outcomes=outcomes,
            pull=deeds.progress,
        )

    def after(self, outcomes: tuple[Outcome, ...]) -> None:
        """Looks again at what these deeds have changed."""
        deeds = {outcome.deed for outcome in outcomes if not outcome.given_up}
        if deeds:
            # Any answer may have been given by a runner that nobody has seen yet.
            self._look_at_processes()
        if deeds & {Deed.PULL, Deed.RESTART}:
            self._store.forget()
        if deeds.intersection(_CHANGES_WHAT_IS_LOADED):
            self._forget_what_is_loaded()
            if self._senses.meter:
                self._senses.meter.changed()

    def _is_held(self) -> bool:
        """Whether a process is stopped: that is counted from the first look that saw it."""
        seen = self._processes
        both = (seen.server, seen.runner) if seen else ()
        return any(process is not None and process.life is Life.STOPPED for process in both)

    def _is_empty(self) -> bool:
        processes = self._processes
        return self._loaded == () and not (processes and (processes.runner or processes.others))

    def _server(self) -> Server:
        since = self._unanswered_since
        return Server(
            down=self._down,
            error=self._error or self._store.error,
            silent_seconds=0.0 if since is None else self._clock() - since,
            version=self._store.version,
            loaded=self._loaded,
            looked=self._store.looked,
            stored=self._store.stored,
        )

    # --- processes and connections --------------------------------------------------------------

    def _look_at_processes(self) -> None:
        senses, before = self._senses, self._processes
        if senses.processes is not None:
            weights = self._store.stored.weights if self._store.stored else None
            missing = before is not None and before.server is None and not self._down
            self._processes = senses.processes.look(weights, search=missing)
            self._exits.follow(self._processes)
        if senses.connections is not None:
            port = senses.processes.runner_port if senses.processes else None
            self.traffic = senses.connections.look(port)
        if _server_of(before) != _server_of(self._processes) and before is not None:
            self._store.forget()
            self._forget_what_is_loaded()

    def _ended(self, _: Process) -> None:
        """A process has ended, a moment ago."""
        self._look_at_processes()
        self._loaded = None
        self._listing.drop()
        self._unanswered_since = None
        self._wake()
        # Ollama 0.17 walks through its models without a lock for `/api/ps`, and Go ends a program
        # that does so while they change: as they do just now.
        self._later(SETTLE_SECONDS, self._ask_what_is_loaded)
        self._later(REPLACED_SECONDS + SETTLE_SECONDS, self._look_again)

    def _look_again(self) -> None:
        """By now it shows whether another process takes the place of one that has ended."""
        self._look_at_processes()
        self._ask_what_is_loaded()

    def _later(self, seconds: float, call: Callable[[], None]) -> None:
        """Calls it once, so much later, in the place of the last time that this was said of it."""
        if call in self._timers:
            self._timers[call].cancel()
        self._timers[call] = asyncio.get_running_loop().call_later(seconds, call)

    # --- Ollama's answers -----------------------------------------------------------------------

    def _forget_what_is_loaded(self) -> None:
        """Answers to earlier questions say nothing any more."""
        self._loaded = None
        self._listing.drop()
        self._ask_what_is_loaded()

    def _ask_what_is_loaded(self) -> None:
        if self._unanswered_since is None:
            self._unanswered_since = self._clock()
        self._listing.ask(self._list)

    async def _list(self) -> None:
        try:
            loaded = await self._senses.ollama.loaded(ANSWER_SECONDS)
        except UnreachableError as error:
            self._unanswered_since = None
            self._is_down(str(error))
        except ExchangeError as error:
            self._error = str(error)
        else:
            self._unanswered_since, self._error = None, None
            if self._down:
                self._down = False
                self._store.forget()
            self._loaded = loaded
        self._wake()

    def _is_down(self, error: str) -> None:
        if not self._down:
            self._down_since = self._clock()
        self._down, self._error = True, error
        if self._clock() - self._down_since < RETURN_SECONDS:
            # It may be on its way back, and every moment counts.
            self._later(SOON_SECONDS, self._ask_what_is_loaded)
        self._loaded = None
        self._store.looked = False


def _server_of(processes: Processes | None) -> tuple[int, int] | None:
    return processes.server.identity if processes and processes.server else None
