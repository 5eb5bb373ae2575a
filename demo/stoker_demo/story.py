"""What happens in the demo, and when. Pure data.

Moments are seconds after all models are hot. Whatever happens, happens to one replica of either
side, and to the two in turn: a model that is lost again and again is loaded ever more seldom.
"""

from dataclasses import dataclass
from enum import StrEnum


class Deed(StrEnum):
    """What is done to a replica."""

    UNLOAD = "unload"
    """A client asks Ollama to unload the model."""
    EVICT = "evict"
    """A client asks for another model, and there is no room for two."""
    STOP = "stop"
    """The process that holds the model is stopped: it hangs."""
    KILL = "kill"
    """The process that holds the model is killed: it crashes."""
    RESTART = "restart"
    """Somebody restarts Ollama, if the process hangs still."""
    SHRINK = "shrink"
    """Other work leaves room for a part of the model only, from the next load on."""
    GROW = "grow"
    """There is room for all of it again, from the next load on."""


@dataclass(frozen=True)
class Step:
    """Something that is done, and how it is told."""

    at: float
    deeds: tuple[Deed, ...]
    told: str


@dataclass(frozen=True)
class Act:
    """A part of the story, up to the next one."""

    name: str
    replica: int
    """To which of them it happens."""
    steps: tuple[Step, ...]

    @property
    def at(self) -> float:
        return self.steps[0].at


@dataclass(frozen=True)
class Story:
    """All of it. Until the first act all is calm, which shows how fast warm answers come."""

    acts: tuple[Act, ...]
    ends: float


COLD_START = "Cold start"
"""What comes before all models are hot."""

CALM = "Calm"
"""What comes between that and the first act."""

_UNLOADED = Act(
    "A client unloads the model",
    1,
    (Step(3.0, (Deed.UNLOAD,), "a client asks with keep_alive: 0"),),
)
_EVICTED = Act(
    "Another model evicts it",
    2,
    (Step(7.0, (Deed.EVICT,), "a client asks for a model that needs its place"),),
)
_HUNG = Act(
    "Its process hangs",
    1,
    (
        Step(12.0, (Deed.STOP,), "the process that holds the model is stopped (SIGSTOP)"),
        Step(18.5, (Deed.RESTART,), "an Ollama that hangs still is restarted by hand"),
    ),
)
_PARTIAL = Act(
    "Part of it falls off the GPU",
    2,
    (
        Step(
            22.0,
            (Deed.SHRINK, Deed.UNLOAD),
            "other work takes GPU memory, and the model has to be loaded anew",
        ),
        Step(
            27.5,
            (Deed.GROW, Deed.KILL),
            "the memory is free again, and the process is ended by hand, to be loaded anew",
        ),
    ),
)


def _crashed(at: float) -> Act:
    told = "the process that holds the model is killed (SIGKILL)"
    return Act("Its process crashes", 1, (Step(at, (Deed.KILL,), told),))


SIMULATED = Story((_UNLOADED, _EVICTED, _HUNG, _PARTIAL, _crashed(31.0)), ends=34.5)

REAL = Story((_UNLOADED, _EVICTED, _HUNG, _crashed(22.0)), ends=25.5)
"""Without a GPU nothing can fall off it."""
