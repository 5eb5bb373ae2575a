"""What is known in one pass, and what is made of it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

from stoker_api import wire
from stoker_api.status import Status
from stoker_operator.desired.identity import Manifest


@dataclass(frozen=True)
class Problem:
    """Something that went wrong while the resource was read or its objects were applied."""

    reason: str
    """`Invalid`, `NameTaken`, `Refused`, `QuotaExceeded` or `ApiError`."""
    message: str
    """What, where, and what to write instead, in a sentence."""


@dataclass(frozen=True)
class Seen:
    """All that is known of an LLMDeployment's objects."""

    deployment: Manifest | None = None
    claim: Manifest | None = None
    pods: tuple[Manifest, ...] = ()
    """Their `metadata`, `spec.nodeName` and `status`."""
    sidecars: Mapping[str, wire.Status] = field(default_factory=dict)
    """By the pod's name: those that answered in this pass."""
    problems: tuple[Problem, ...] = ()
    paused: bool = False
    sidecars_in_reach: bool = True
    """False where the operator runs outside the cluster: pods' addresses lead nowhere there."""


@dataclass(frozen=True)
class Notice:
    """What a person would want to know of: an event."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str
    subject: str = ""
    """The pod that it is about, or nothing where it is about all of them."""


@dataclass(frozen=True)
class Observed:
    """What is so now, and what is new about it."""

    status: Status
    events: tuple[Notice, ...] = ()
    look_again_seconds: float | None = None
    """After this time something may have changed of which no watch tells; None: nothing will."""
