"""Stories for the heart: what a sidecar sees, step by step, and what its heart makes of it."""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any, Self

from stoker_api import wire
from stoker_sidecar.config import defaults
from stoker_sidecar.heat import Memory, Step, Wanted, step
from stoker_sidecar.heat.observation import (
    Deed,
    Fault,
    Gpu,
    Gpus,
    Life,
    Loaded,
    Observation,
    Outcome,
    Process,
    Processes,
    Server,
    Stored,
    Traffic,
)

GIB = 1024**3
DIGEST = "sha256:" + "a" * 64
OTHER_DIGEST = "sha256:" + "b" * 64

HEAT = defaults(uses_gpu=False)
WANTED = Wanted(pod=wire.Arguments(model="phi3:mini", context_length=4096), heat=HEAT)
GPU_WANTED = Wanted(pod=replace(WANTED.pod, gpus=1), heat=defaults(uses_gpu=True))

STORED = Stored(
    digest=DIGEST,
    size_bytes=2 * GIB,
    weights="sha256-" + "c" * 64,
    capabilities=("completion",),
    parameters="3.8B",
    quantisation="Q4_0",
    trained_context=131072,
    requires=None,
)
LOADED = Loaded(
    name="phi3:mini",
    digest=DIGEST,
    size_bytes=3 * GIB,
    vram_bytes=0,
    context_length=4096,
    expires_at="2318-01-01T00:00:00Z",
    expires_in_seconds=None,
)
SERVER = Server(
    down=False,
    error=None,
    silent_seconds=0,
    version="0.17.4",
    loaded=(),
    looked=True,
    stored=STORED,
)
OLLAMA = Process(pid=10, started=100, life=Life.ALIVE, cpu_seconds=1)
RUNNER = Process(pid=20, started=200, life=Life.ALIVE, cpu_seconds=5)
QUIET = Traffic(open=0, busy=0, bytes_to_clients=0, runner_bytes=0, runner_requests=0)
GPUS = Gpus(
    devices=(
        Gpu(
            uuid="GPU-1",
            name="H100",
            total_bytes=80 * GIB,
            used_bytes=4 * GIB,
            utilisation_ratio=0,
            power_watts=60,
            temperature_celsius=40,
            uncorrected_errors=0,
        ),
    ),
    unknown=None,
    lost=None,
    runner_bytes=3 * GIB,
    baseline_bytes=0,
    busy=False,
)

EMPTY = Observation(
    server=SERVER,
    processes=Processes(server=OLLAMA, runner=None, others=()),
    traffic=QUIET,
    gpus=None,
    route=None,
    can_kill=True,
    can_restart=True,
    leaving=False,
)
LISTED = replace(SERVER, loaded=(LOADED,))
IN_MEMORY = replace(
    EMPTY, server=LISTED, processes=Processes(server=OLLAMA, runner=RUNNER, others=())
)

ANSWERED = Outcome(Deed.WARM, seconds=0.2, first_token_seconds=0.15, tokens_per_second=40)


def done(deed: Deed, **facts: Any) -> Outcome:
    """This deed has ended; well, if `facts` do not say otherwise."""
    return Outcome(deed, **({"seconds": 0.1} | facts))


def failed(deed: Deed, fault: Fault = Fault.OTHER, error: str = "it broke") -> Outcome:
    return Outcome(deed, seconds=0.1, fault=fault, error=error)


class Story:
    """A pod from its sidecar's point of view. Time passes with each step."""

    def __init__(self, wanted: Wanted = WANTED, seen: Observation = EMPTY) -> None:
        self.wanted = wanted
        self.seen = seen
        self.now = 1000.0
        self.memory = Memory.new(self.now)
        self.steps: list[Step] = []

    @property
    def last(self) -> Step:
        return self.steps[-1]

    @property
    def state(self) -> str:
        return self.memory.verdict.state

    @property
    def reason(self) -> str:
        return self.memory.verdict.reason

    @property
    def deeds(self) -> list[Deed]:
        """What was done so far, in order."""
        return [each.action.deed for each in self.steps if each.action]

    def after(self, seconds: float, *outcomes: Outcome, **changes: Any) -> Step:
        """One step, so much later. What has changed stays so; outcomes are for this step alone."""
        self.now += seconds
        self.seen = replace(self.seen, **changes)
        self.steps.append(
            step(self.memory, replace(self.seen, outcomes=outcomes), self.wanted, self.now)
        )
        self.memory = self.last.memory
        return self.last

    def passes(self, seconds: float, every: float = 0.5) -> Step:
        """So much time passes in heartbeats, in which nothing changes."""
        for _ in range(max(1, round(seconds / every))):
            self.after(every)
        return self.last

    def server(self, **changes: Any) -> Server:
        """The server as it is, but for this."""
        return replace(self.seen.server, **changes)

    def runner(self, **changes: Any) -> Processes:
        """The processes as they are, but for this about the runner."""
        assert self.seen.processes
        runner = replace(self.seen.processes.runner or RUNNER, **changes)
        return replace(self.seen.processes, runner=runner)

    def traffic(self, **changes: Any) -> Traffic:
        return replace(self.seen.traffic or QUIET, **changes)

    @classmethod
    def hot(cls, wanted: Wanted = WANTED, seen: Observation = IN_MEMORY) -> Self:
        """A pod whose model has just become hot."""
        story = cls(wanted, seen)
        story.after(0.5)
        for _ in range(wanted.heat.warmup.consecutive):
            story.after(0.1, ANSWERED)
        assert story.last.gate.open, story.last.gate
        story.steps.clear()
        return story


def sentence(steps: Sequence[Step]) -> str:
    """What happened, for the message of a failed test."""
    return "\n".join(
        f"{each.verdict.state}/{each.verdict.reason} {(each.action and each.action.deed) or ''}"
        for each in steps
        if each.before or each.action
    )
