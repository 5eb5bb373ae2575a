"""What an LLMDeployment's manifests ask for, read as a cluster would read them."""

import hashlib
import json
import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from fractions import Fraction

from stoker_api import wire
from stoker_operator.desired import Manifest

_SHORT = 10


@dataclass(frozen=True)
class Wanted:
    """So many replicas of one pod template, and what stands before and beside them."""

    namespace: str
    name: str
    replicas: int
    max_surge: int
    max_unavailable: int
    template: Manifest
    heat: wire.HeatConfig
    port: int
    """Where clients expect it."""

    @property
    def key(self) -> str:
        """Its name on this machine."""
        return f"{self.namespace}.{self.name}"

    @property
    def revision(self) -> str:
        """What a replica was made from: another template is another revision."""
        text = json.dumps(self.template, sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:_SHORT]

    def heat_at(self, address: str) -> str:
        """`heat.json`, with the way of this machine's clients in the place of the cluster's."""
        routing = replace(self.heat.routing, service_url=address)
        return replace(self.heat, routing=routing).to_json()


def wanted(manifests: Iterable[Manifest]) -> Wanted:
    """What the manifests of one LLMDeployment ask for."""
    by_kind = {manifest["kind"]: manifest for manifest in manifests}
    deployment, service = by_kind["Deployment"], by_kind["Service"]
    spec, metadata = deployment["spec"], deployment["metadata"]
    rolling = spec["strategy"]["rollingUpdate"]
    surge = _pods(rolling["maxSurge"], spec["replicas"], math.ceil)
    unavailable = _pods(rolling["maxUnavailable"], spec["replicas"], math.floor)
    return Wanted(
        namespace=metadata["namespace"],
        name=metadata["name"],
        replicas=spec["replicas"],
        max_surge=surge,
        # As in a cluster: two shares that come to nothing would let no pod ever be replaced.
        max_unavailable=unavailable if surge else max(1, unavailable),
        template=spec["template"],
        heat=wire.HeatConfig.from_json(by_kind["ConfigMap"]["data"][wire.HEAT_FILE]),
        port=service["spec"]["ports"][0]["port"],
    )


def _pods(amount: int | str, replicas: int, rounded: Callable[[Fraction], int]) -> int:
    """A count, or a share of the replicas."""
    if isinstance(amount, int):
        return amount
    return rounded(Fraction(amount.removesuffix("%")) / 100 * replicas)
