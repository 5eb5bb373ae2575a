"""Who the sidecar is, and the one thing it may do."""

from stoker_api.resource import LLMDeployment
from stoker_operator.desired.identity import Manifest, manifest, namespace, sidecar_name
from stoker_operator.desired.settings import Settings


def service_account(resource: LLMDeployment) -> Manifest:
    """The identity of the pods. Its token is mounted by hand, into the sidecar alone."""
    return manifest(
        resource,
        "v1",
        "ServiceAccount",
        sidecar_name(resource),
        automountServiceAccountToken=False,
    )


def role_binding(resource: LLMDeployment, settings: Settings) -> Manifest:
    """The right to set the gate, bound to the chart's ClusterRole.

    The operator writes no Role of its own: for that it would need every right in it.
    """
    return manifest(
        resource,
        "rbac.authorization.k8s.io/v1",
        "RoleBinding",
        sidecar_name(resource),
        roleRef={
            "apiGroup": "rbac.authorization.k8s.io",
            "kind": "ClusterRole",
            "name": settings.sidecar_cluster_role,
        },
        subjects=[
            {
                "kind": "ServiceAccount",
                "name": sidecar_name(resource),
                "namespace": namespace(resource),
            }
        ],
    )
