"""How the operator was told to run, and what it watches therefore."""

from dataclasses import dataclass

from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.cluster import Look
from stoker_operator.credentials import Access
from stoker_operator.desired import Settings
from stoker_operator.world import POD

_KINDS = {
    "ConfigMap": "v1",
    "Deployment": "apps/v1",
    "PersistentVolumeClaim": "v1",
    POD: "v1",
    "PodDisruptionBudget": "policy/v1",
    "RoleBinding": "rbac.authorization.k8s.io/v1",
    "Service": "v1",
    "ServiceAccount": "v1",
}


@dataclass(frozen=True)
class Orders:
    """How the operator was told to run."""

    settings: Settings
    access: Access
    namespaces: tuple[str, ...] = ()
    """Of no name: all of them."""
    lease_namespace: str | None = None
    """Where the Lease is; None: there is no other replica."""
    reads_sidecars: bool = True
    listen: tuple[str, int] = ("0.0.0.0", 8080)  # noqa: S104 - the kubelet and Prometheus ask
    page: tuple[str, int] | None = None
    """Where the status page is; None: nowhere."""
    workers: int = 8

    @property
    def looks(self) -> list[Look]:
        """All that is watched, LLMDeployments aside."""
        return [
            Look(api_version, kind, namespace, LABEL_LLMDEPLOYMENT)
            for kind, api_version in self._kinds.items()
            for namespace in self.namespaces or (None,)
        ]

    @property
    def _kinds(self) -> dict[str, str]:
        more = {
            "NetworkPolicy": "networking.k8s.io/v1" if self.settings.network_policy else "",
            "PodMonitor": "monitoring.coreos.com/v1" if self.settings.pod_monitor else "",
        }
        return _KINDS | {kind: version for kind, version in more.items() if version}
