"""Pods, Deployments and sidecars as the operator sees them, step by step as they come up."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Self

from stoker_api import wire
from stoker_api.status import Condition, Status
from stoker_operator.observed import Observed, Seen, observed, to_read
from support.manifests import Json, resource
from support.statuses import HOT

NOW = datetime(2026, 1, 1, 12, 0, 0, tzinfo=UTC)
MADE = NOW - timedelta(seconds=100)


def stamp(seconds: float) -> str:
    """The moment so many seconds after the pod was made, as Kubernetes writes it."""
    return (MADE + timedelta(seconds=seconds)).strftime("%Y-%m-%dT%H:%M:%SZ")


@dataclass(frozen=True)
class Seeing:
    """A pod as the API server shows it; each method is a step on its way."""

    name: str = "phi3-a"
    made: float = 0
    spec: Json = field(default_factory=dict)
    metadata: Json = field(default_factory=dict)
    status: Json = field(default_factory=dict)
    conditions: dict[str, Json] = field(default_factory=dict)

    def said(self, kind: str, status: str, *, at: float, **words: str) -> Self:
        condition = {"type": kind, "status": status, "lastTransitionTime": stamp(at), **words}
        return replace(self, conditions={**self.conditions, kind: condition})

    def unschedulable(self, message: str) -> Self:
        return self.said("PodScheduled", "False", at=0, reason="Unschedulable", message=message)

    def placed(self, at: float = 2) -> Self:
        on_node = replace(self, spec={**self.spec, "nodeName": "node-1"})
        return on_node.said("PodScheduled", "True", at=at)

    def waiting(self, reason: str, message: str = "", **also: Any) -> Self:
        container = {
            "name": "ollama",
            "image": "ollama/ollama:0.17.4",
            "state": {"waiting": {"reason": reason, "message": message}},
            **also,
        }
        return replace(self.placed(), status={"containerStatuses": [container]})

    def running(self, at: float = 5, restarts: int = 0) -> Self:
        started = {"running": {"startedAt": stamp(at)}}
        container = {"state": started, "restartCount": restarts}
        status = {
            "podIP": "10.0.0.1",
            "initContainerStatuses": [{**container, "name": "sidecar"}],
            "containerStatuses": [{**container, "name": "ollama"}],
        }
        return replace(self.placed(), status=status).said("Ready", "False", at=2)

    def shut(self, reason: str, message: str = "a sentence", *, at: float = 5) -> Self:
        """The sidecar has spoken, and the gate is shut."""
        return self._gate("False", reason, message, at)

    def hot(self, *, at: float = 40, reason: str = "Hot", message: str = "it answers") -> Self:
        """The gate is open, and Kubernetes counts the pod as Ready."""
        return self._gate("True", reason, message, at).said("Ready", "True", at=at)

    def _gate(self, status: str, reason: str, message: str, at: float) -> Self:
        up = self if self.status else self.running()
        return up.said(wire.HOT_CONDITION, status, at=at, reason=reason, message=message)

    def unready(self, *, at: float, message: str = "") -> Self:
        return self.said("Ready", "False", at=at, reason="ContainersNotReady", message=message)

    def deleted(self) -> Self:
        return replace(self, metadata={"deletionTimestamp": stamp(200)})

    def evicted(self, message: str = "The node was low on resource: memory") -> Self:
        ended = {"phase": "Failed", "reason": "Evicted", "message": message}
        return replace(self, status={**self.status, **ended})

    @property
    def manifest(self) -> Json:
        return {
            "metadata": {
                "name": self.name,
                "creationTimestamp": stamp(self.made),
                **self.metadata,
            },
            "spec": self.spec,
            "status": {**self.status, "conditions": list(self.conditions.values())},
        }


def pod(name: str = "phi3-a", *, made: float = 0) -> Seeing:
    """A pod that has just been made."""
    return Seeing(name, made)


def deployment(updated: int = 1, *, there: int | None = None, **conditions: Json) -> Json:
    """A Deployment of which so many pods are of the newest version."""
    return {
        "metadata": {"name": "phi3", "generation": 1},
        "status": {
            "observedGeneration": 1,
            "replicas": updated if there is None else there,
            "updatedReplicas": updated,
            "conditions": [{"type": kind, **said} for kind, said in conditions.items()],
        },
    }


def claim(phase: str) -> Json:
    return {"metadata": {"name": "phi3-models"}, "status": {"phase": phase}}


def sidecar(**changes: Any) -> wire.Status:
    """What the sidecar of a hot pod says, with nothing lost so far."""
    calm = replace(HOT, counters=wire.Counters(0, 0, 0, 0, 0, 0))
    return replace(calm, **changes)


@dataclass(frozen=True)
class World:
    """An LLMDeployment and its pods over time: each look starts from the last one's status."""

    spec: Json = field(default_factory=dict)
    before: Status = field(default_factory=Status)
    generation: int = 1
    now: datetime = NOW

    def look(
        self, *pods: Seeing, sidecars: dict[str, wire.Status] | None = None, **seen: Any
    ) -> Observed:
        """What is observed of these pods. Whatever sidecars there are answer if they are asked."""
        wanted = resource(self.spec, generation=self.generation)
        manifests = tuple(each.manifest for each in pods)
        asked = to_read(wanted, self.before, manifests)
        answers = {name: told for name, told in (sidecars or {}).items() if name in asked}
        seen = {"deployment": deployment(len(pods)), **seen}
        return observed(
            wanted, self.before, Seen(pods=manifests, sidecars=answers, **seen), self.now
        )

    def after(self, *pods: Seeing, **seen: Any) -> "World":
        """The world once this has been observed, a minute later."""
        status = self.look(*pods, **seen).status
        return replace(self, before=status, now=self.now + timedelta(minutes=1))


def condition(found: Observed | Status, kind: str) -> Condition:
    """One of the conditions that were observed."""
    status = found.status if isinstance(found, Observed) else found
    return next(each for each in status.conditions if each.type == kind)


def events(found: Observed) -> dict[str, str]:
    """The events, by reason."""
    return {notice.reason: notice.message for notice in found.events}
