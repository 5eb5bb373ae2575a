"""What stands around the pods, each only where it is asked for: budget, network, monitoring."""

from stoker_api.resource import LLMDeployment
from stoker_api.wire import DOMAIN, METRICS_PATH, OLLAMA_PORT, SIDECAR_PORT
from stoker_operator.desired.identity import Manifest, labels, manifest, selector
from stoker_operator.desired.settings import Settings
from stoker_operator.desired.sidecar import PORT_NAME

LABEL_CLIENT_NAMESPACE = f"{DOMAIN}/llm-client"
"""On a namespace: "true" lets its pods reach the models of others, under a network policy."""


def pod_disruption_budget(resource: LLMDeployment) -> Manifest | None:
    """Keeps `minHot` pods through evictions; a pod that is not hot may always go."""
    if resource.spec.disruption is None:
        return None
    return manifest(
        resource,
        "policy/v1",
        "PodDisruptionBudget",
        resource.metadata.name,
        spec={
            "minAvailable": resource.spec.disruption.min_hot,
            "selector": {"matchLabels": selector(resource)},
            "unhealthyPodEvictionPolicy": "AlwaysAllow",
        },
    )


def network_policy(resource: LLMDeployment, settings: Settings) -> Manifest | None:
    """Lets in who needs to be in: Ollama itself asks nobody for a password.

    The kubelet's probes come from the pod's own node, which network policies do not hold back.
    """
    if settings.network_policy is None:
        return None
    clients = [
        {"podSelector": {}},
        {"namespaceSelector": {"matchLabels": {LABEL_CLIENT_NAMESPACE: "true"}}},
    ]
    watchers = [
        {"namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": name}}}
        for name in (
            settings.network_policy.operator_namespace,
            settings.network_policy.monitoring_namespace,
        )
    ]
    return manifest(
        resource,
        "networking.k8s.io/v1",
        "NetworkPolicy",
        resource.metadata.name,
        spec={
            "podSelector": {"matchLabels": selector(resource)},
            "policyTypes": ["Ingress"],
            "ingress": [
                {"from": clients, "ports": [{"port": OLLAMA_PORT, "protocol": "TCP"}]},
                {"from": watchers, "ports": [{"port": SIDECAR_PORT, "protocol": "TCP"}]},
            ],
        },
    )


def pod_monitor(resource: LLMDeployment, settings: Settings) -> Manifest | None:
    """Has the Prometheus operator scrape the sidecars."""
    if not settings.pod_monitor:
        return None
    return manifest(
        resource,
        "monitoring.coreos.com/v1",
        "PodMonitor",
        resource.metadata.name,
        metadata={"labels": dict(settings.pod_monitor_labels) | labels(resource)},
        spec={
            "selector": {"matchLabels": selector(resource)},
            "podTargetLabels": list(selector(resource)),
            "podMetricsEndpoints": [{"port": PORT_NAME, "path": METRICS_PATH}],
        },
    )
