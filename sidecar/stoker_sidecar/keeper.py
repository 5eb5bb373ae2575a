"""The loop that keeps a model hot: look, judge, act, tell.

A step is taken at every heartbeat, and at once when something has ended: a process, an answer, a
deed. What a step costs is little, and nothing in it waits.
"""

import asyncio
import logging
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, replace

from stoker_api import wire
from stoker_sidecar.act import Deeds, Facts
from stoker_sidecar.config import HeatFile
from stoker_sidecar.counts import CanaryResult, Counts, RecoveryResult, RecoveryStep
from stoker_sidecar.gate import Gate
from stoker_sidecar.heat import Memory, Observation, Step, Wanted, step
from stoker_sidecar.heat.observation import Deed, Fault, Outcome
from stoker_sidecar.news import News
from stoker_sidecar.observe import Observer
from stoker_sidecar.page import Transition
from stoker_sidecar.report import Measurements, rfc3339
from stoker_sidecar.timeline import Timeline

_log = logging.getLogger(__name__)

_TRANSITIONS = 50

_RECOVERY_STEPS = {
    Deed.UNLOAD: RecoveryStep.UNLOAD,
    Deed.KILL: RecoveryStep.KILL,
    Deed.RESTART: RecoveryStep.RESTART,
}


class Settings:
    """How heat is kept: from a file that is read anew, or fixed from the start."""

    def __init__(
        self, pod: wire.Arguments, source: HeatFile | wire.HeatConfig, jitter: float = 0.5
    ) -> None:
        self._file = source if isinstance(source, HeatFile) else None
        config = source.config if isinstance(source, HeatFile) else source
        self.wanted = Wanted(pod, config, jitter)

    @property
    def error(self) -> str | None:
        """Why the newest file is not in force."""
        return self._file.error if self._file else None

    @property
    def errors(self) -> int:
        return self._file.errors if self._file else 0

    def look(self) -> None:
        """Takes up a changed file."""
        if self._file is None:
            return
        before = self._file.errors
        if self._file.look():
            self.wanted = replace(self.wanted, heat=self._file.config)
            _log.info("settings taken up")
        elif self._file.errors != before:
            _log.warning("settings not taken up", extra={"sentence": self._file.error})


@dataclass(frozen=True)
class Body:
    """What looks and what acts, and the event by which either asks for a step."""

    observer: Observer
    deeds: Deeds
    woken: asyncio.Event


class Keeper:
    """Keeps one model hot."""

    def __init__(
        self,
        settings: Settings,
        body: Body,
        *,
        gate: Gate | None = None,
        timeline: Timeline | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.settings = settings
        self.counts = Counts()
        self.measurements = Measurements()
        self.transitions: deque[Transition] = deque(maxlen=_TRANSITIONS)
        self.stepped_at = clock()
        self.seen = body.observer.observation((), body.deeds)
        self.last = step(Memory.new(clock()), self.seen, settings.wanted, clock())
        self.news = News()
        self.since = rfc3339(time.time())
        """When the state or the reason last changed."""
        self._opened_or_shut = self.since
        self._was_open = False
        self._gate = gate
        self._timeline = timeline
        self._clock = clock
        self._observer, self._deeds, self._woken = body.observer, body.deeds, body.woken
        self._verifying_since: float | None = None

    async def run(self) -> None:
        """Takes steps until it is cancelled."""
        beat_at = self._clock()
        while True:
            is_beat = self._clock() >= beat_at
            if is_beat:
                interval = self.settings.wanted.heat.heartbeat.interval_seconds
                beat_at = max(beat_at + interval, self._clock())
            try:
                if is_beat:
                    self._beat()
                if await self._is_woken(beat_at):
                    self.take_step()
            except Exception:  # noqa: BLE001 - the loop must not end
                # Whatever it is, the next look may not meet it. If it stays, the verdict becomes
                # stale, and readiness fails by itself.
                _log.exception("step broke")

    def _beat(self) -> None:
        self.settings.look()
        if self._observer.beat():
            self._woken.set()

    async def _is_woken(self, until: float) -> bool:
        try:
            async with asyncio.timeout(max(0.0, until - self._clock())):
                await self._woken.wait()
        except TimeoutError:
            return False
        self._woken.clear()
        return True

    def take_step(self) -> None:
        """One step: what is seen now, judged, acted on and told."""
        outcomes = self._deeds.take()
        self._observer.after(outcomes)
        now = self._clock()
        seen = self._observer.observation(outcomes, self._deeds)
        before = self.last.memory
        wanted = self.settings.wanted
        self._record(wanted, seen, now)
        taken = step(before, seen, wanted, now)
        self.last, self.seen, self.stepped_at = taken, seen, now
        self._tell(taken, before)
        if taken.action is not None:
            runner = seen.processes.runner if seen.processes else None
            facts = Facts(wanted.heat, seen.server.stored, runner.pid if runner else None)
            self._deeds.begin(taken.action, facts)
            self._woken.set()  # so that what has begun is said
        for outcome in outcomes:
            self._count(outcome, taken)
        self._follow(taken, before, now)

    def _record(self, wanted: Wanted, seen: Observation, now: float) -> None:
        if self._timeline is None:
            return
        try:
            self._timeline.write(wanted, seen, now)
        except OSError as error:
            # What it is about goes on without it.
            self._timeline = None
            _log.warning("timeline ended", extra={"sentence": f"it cannot be written: {error}"})

    # --- telling --------------------------------------------------------------------------------

    def _tell(self, taken: Step, before: Memory) -> None:
        """Sets the gate, before anything else is done with a step."""
        if taken.gate.open != self._was_open:
            self._opened_or_shut = rfc3339(time.time())
        self._was_open = taken.gate.open
        gate = taken.gate
        self.news.tell(wire.HeatEvent(gate.open, taken.verdict.state, gate.reason, gate.message))
        if self._gate is not None:
            self._gate.want(
                wire.HotCondition(
                    hot=taken.gate.open,
                    reason=taken.gate.reason,
                    message=taken.gate.message,
                    last_transition_time=self._opened_or_shut,
                )
            )
        if taken.before is not None or not self.transitions:
            self._log_transition(taken, before)

    def _log_transition(self, taken: Step, before: Memory) -> None:
        verdict = taken.verdict
        self.since = rfc3339(time.time())
        self.transitions.appendleft(
            Transition(self.since, verdict.state, verdict.reason, verdict.message)
        )
        self.counts.transitions += 1
        needs_person = verdict.state in (wire.HeatState.BLOCKED, wire.HeatState.STUCK)
        level = logging.WARNING if needs_person or taken.lost_heat else logging.INFO
        _log.log(
            level,
            "heat changed",
            extra={
                "state": verdict.state,
                "reason": verdict.reason,
                "sentence": verdict.message,
                "gate": "open" if taken.gate.open else "shut",
                "before": before.verdict.state,
            },
        )

    # --- counting -------------------------------------------------------------------------------

    def _count(self, outcome: Outcome, taken: Step) -> None:
        if outcome.given_up:
            return
        self.measurements.take(outcome)
        if outcome.deed is Deed.CANARY:
            self.counts.canary(_canary_result(outcome))
        if step_of := _RECOVERY_STEPS.get(outcome.deed):
            result = RecoveryResult.DONE if outcome.ok else RecoveryResult.FAILED
            self.counts.recovery(step_of, result)
        if outcome.ok and outcome.first_token_seconds is not None:
            self.counts.first_token.observe(outcome.first_token_seconds)
        if not outcome.ok:
            _log.warning(
                "deed failed",
                extra={
                    "deed": outcome.deed,
                    "fault": outcome.fault,
                    "sentence": outcome.error,
                    "state": taken.verdict.state,
                },
            )
            return
        self._cold_start(outcome)

    def _cold_start(self, outcome: Outcome) -> None:
        """Takes down what the last way to heat took, phase by phase."""
        start = self.measurements.cold_start
        match outcome.deed:
            case Deed.PULL:
                start = wire.ColdStart(outcome.seconds, None, None, None)
            case Deed.LOAD:
                start = replace(start, load_seconds=outcome.seconds, first_token_seconds=None)
            case Deed.WARM if start.first_token_seconds is None:
                start = replace(start, first_token_seconds=outcome.first_token_seconds)
        self.measurements.cold_start = start

    def _follow(self, taken: Step, before: Memory, now: float) -> None:
        """Counts what a step itself tells."""
        if taken.lost_heat:
            proven_at = before.proof.at if before.proof.at is not None else now
            self.counts.heat_loss(now - proven_at)
        self.counts.explain(taken.verdict.reason)
        deed = taken.action.deed if taken.action else None
        self.counts.reloads += deed is Deed.LOAD and before.opened
        self.counts.rearms += deed is Deed.REARM
        self._follow_verification(taken, now)

    def _follow_verification(self, taken: Step, now: float) -> None:
        verifying = taken.verdict.state is wire.HeatState.VERIFYING
        if verifying and self._verifying_since is None:
            self._verifying_since = now
        elif not verifying and self._verifying_since is not None:
            seconds = now - self._verifying_since
            self._verifying_since = None
            start = replace(self.measurements.cold_start, verify_seconds=seconds)
            self.measurements.cold_start = start


def _canary_result(outcome: Outcome) -> CanaryResult:
    if outcome.ok:
        return CanaryResult.GOOD
    timed_out = outcome.fault is Fault.TIMED_OUT
    return CanaryResult.TIMED_OUT if timed_out else CanaryResult.FAILED
