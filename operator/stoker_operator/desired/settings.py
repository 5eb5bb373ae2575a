"""What is decided once for all LLMDeployments, by whoever installs the operator."""

from dataclasses import dataclass


@dataclass(frozen=True)
class NetworkPolicySettings:
    """Who may reach the pods besides their own namespace."""

    operator_namespace: str = "stoker-system"
    monitoring_namespace: str = "monitoring"


@dataclass(frozen=True)
class Settings:
    """The installation's choices."""

    sidecar_image: str
    sidecar_cluster_role: str = "stoker-sidecar"
    """The ClusterRole that lets a sidecar set the gate of its own pod; the chart ships it."""
    network_policy: NetworkPolicySettings | None = None
    pod_monitor: bool = False
    pod_monitor_labels: tuple[tuple[str, str], ...] = ()
    """By which a Prometheus finds its PodMonitors."""
    roll_sidecars: bool = False
    """Give running pods this sidecar image now, one by one, instead of with their next change."""
