"""A loaded model as the scheduler sees it, and the settings that decide how long it stays."""

from dataclasses import dataclass, field

from stoker_simulator.memory import Placement
from stoker_simulator.requests import Request


@dataclass(frozen=True)
class Policy:
    """The settings that the scheduler needs. Times are in nanoseconds."""

    keep_alive: int
    max_queue: int = 512
    recovery: int = 0
    """How long the memory of a GPU takes to be free again when a runner has ended."""


@dataclass
class Runner:
    """A loaded model."""

    id: int
    request: Request
    """The one that it was loaded for: it gives name, digest and options."""
    placement: Placement
    keep_alive: int
    users: set[int] = field(default_factory=set)
    expires_at: int | None = None
    """What `/api/ps` shows; it stands still while the model is in use."""
    leaves_at: int | None = None
