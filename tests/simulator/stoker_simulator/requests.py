"""What the scheduler knows of a request."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stoker_simulator.memory import Demand
from stoker_simulator.options import RunnerOptions


@dataclass(frozen=True)
class Label:
    """What `/api/ps` shows of a model: the name that it was asked for by first, and what it is."""

    name: str
    digest: str
    details: Mapping[str, Any]


@dataclass(frozen=True)
class Request:
    """A client's wish for a runner."""

    id: int
    key: str
    """The path of the weights: models with the same weights share a runner."""
    options: RunnerOptions
    demand: Demand
    label: Label
    keep_alive: int | None = None
    context_is_automatic: bool = False
    embedding_length: int = 0
