"""What the scheduler wants done."""

from dataclasses import dataclass

from stoker_simulator.memory import Placement
from stoker_simulator.requests import Request


@dataclass(frozen=True)
class Check:
    """Ask the runner whether it is well; say so with `checked`."""

    request: Request
    runner_id: int
    is_first: bool
    """Whether the request has not queued yet."""


@dataclass(frozen=True)
class Load:
    """Start a runner, let it load; say how that went with `load_ended`."""

    request: Request
    runner_id: int
    placement: Placement


@dataclass(frozen=True)
class End:
    """End the runner's process; say when it has ended with `ended`."""

    runner_id: int


@dataclass(frozen=True)
class Grant:
    """Let the request have this runner, until `finish`."""

    request: Request
    runner_id: int


@dataclass(frozen=True)
class Refuse:
    """Answer the request with this error."""

    request: Request
    status: int
    message: str


Effect = Check | Load | End | Grant | Refuse
