"""How traffic reaches the pods, and how pods come and go beneath it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from stoker_api.part import Effect, Part, Unique
from stoker_api.rules import Rule, matches
from stoker_api.scalars import CountOrShare, between
from stoker_api.spec.maps import Annotations


class Service(Part):
    """The Service in front of the hot pods. It bears the LLMDeployment's name."""

    type: Literal["ClusterIP", "NodePort", "LoadBalancer"] = "ClusterIP"
    """Who can reach it. Ollama knows no passwords: beyond the cluster, put a gateway in front."""

    port: Annotated[int, Field(ge=1, le=65_535), Effect.LIVE] = 11434
    """The port that clients use."""

    annotations: Annotations = {}
    """Annotations for the Service, such as a cloud's load balancer takes."""


class Routing(Part):
    """How clients reach the model."""

    service: Annotated[Service, Effect.FLEET] = Service()
    """The Service in front of the hot pods."""

    apis: Annotated[
        list[Literal["ollama", "openai"]], Field(max_length=2), Unique(), Effect.LIVE
    ] = ["ollama"]
    """The APIs whose whole route (name, Service, answer of this very model) is checked and
    reported in the condition `Routed`. It never shuts a gate: before the first pod is hot the
    Service leads nowhere."""

    drain_timeout: Annotated[timedelta, between("0s", "24h"), Effect.ROLLS] = timedelta(seconds=60)
    """How long answers under way may take when a pod leaves. Ollama cuts streams when it stops,
    so the pod waits until they are done, or this long."""


class Rollout(Part):
    """How new pods replace old ones."""

    max_surge: CountOrShare = 1
    """Pods above `replicas` while new ones heat up. 0 where no GPU is spare: then an old pod
    leaves before its successor is hot, and the operator reports the gap."""

    max_unavailable: CountOrShare = 0
    """Pods below `replicas` while new ones heat up."""

    progress_deadline: Annotated[timedelta, between("1m", "168h")] = timedelta(hours=1)
    """How long a roll-out may go on without progress until Kubernetes calls it failed. Make it
    longer than a pull of the model takes."""

    rules = (
        Rule(
            "!string(self.maxSurge).matches('^0%?$')"
            " || !string(self.maxUnavailable).matches('^0%?$')",
            "maxSurge and maxUnavailable must not both be 0, or no pod could ever be replaced: set"
            " maxUnavailable: 1 where no GPU is spare, else maxSurge: 1",
            lambda rollout: not (is_none(rollout.max_surge) and is_none(rollout.max_unavailable)),
            field="maxUnavailable",
        ),
    )


def is_none(pods: int | str) -> bool:
    """Whether a count or share of pods is no pod at all."""
    return matches("^0%?$", str(pods))


class Disruption(Part):
    """What evictions (node drains, cluster upgrades) must leave standing."""

    min_hot: CountOrShare
    """Hot pods that evictions must leave, as a number or a percentage: a PodDisruptionBudget.
    Pods that are not hot may always be evicted. Keep it below `replicas`, or nodes can never be
    drained."""
