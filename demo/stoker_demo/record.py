"""What a run of the demo was, as it was seen. Pure data; all moments are on one clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum, auto


class End(Enum):
    """How a request came to its end."""

    ANSWERED = auto()
    FAILED = auto()
    SILENT = auto()
    """There was no whole answer for so long that the client left."""


@dataclass(frozen=True)
class Request:
    """One request of a client."""

    began: float
    first_token: float | None
    ended: float
    end: End
    error: str = ""
    load_seconds: float = 0.0
    """How much of it was waiting for the model to be in memory, as Ollama counts it."""

    @property
    def first_token_seconds(self) -> float | None:
        return None if self.first_token is None else self.first_token - self.began

    @property
    def seconds(self) -> float:
        return self.ended - self.began


@dataclass(frozen=True)
class Change:
    """What a sidecar said when the heat of its replica changed."""

    at: float
    replica: int
    hot: bool
    state: str
    reason: str
    message: str


@dataclass(frozen=True)
class Loss:
    """A model that was taken away."""

    began: float
    """When that was done which takes it away."""
    ended: float
    """When its process had ended."""


@dataclass(frozen=True)
class Side:
    """One of the two ways to run Ollama, and what became of it."""

    name: str
    opened: float
    """When its address first took a connection."""
    requests: tuple[Request, ...]
    changes: tuple[Change, ...]
    """Of all replicas, in the order of time. None where nobody looks."""
    losses: tuple[Loss, ...]

    def within(self, begin: float, end: float) -> Iterator[Request]:
        """The requests that began in that time."""
        return (each for each in self.requests if begin <= each.began < end)


@dataclass(frozen=True)
class Mark:
    """Something that was done to both."""

    at: float
    replica: int
    told: str


@dataclass(frozen=True)
class Scene:
    """An act as it was played."""

    name: str
    begin: float
    end: float
    marks: tuple[Mark, ...] = ()


@dataclass(frozen=True)
class Run:
    """All of it."""

    server: str
    """What the models were served by, for people."""
    today: Side
    stoker: Side
    scenes: tuple[Scene, ...]
    calm: Scene | None
    """The scene in which all was warm, once it has come."""
    patience_seconds: float
    """How long clients waited."""

    @property
    def sides(self) -> tuple[Side, Side]:
        return self.today, self.stoker

    @property
    def ended(self) -> float:
        return self.scenes[-1].end
