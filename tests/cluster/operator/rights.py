"""What the operator may do, and no more: a right that is missing has to show in every story."""

from bed.cluster import Manifest

RBAC = "rbac.authorization.k8s.io"
ROLE = "stoker-operator-in-tests"
SIDECAR_ROLE = "stoker-sidecar-in-tests"

_ALL = ["create", "delete", "get", "list", "patch", "watch"]


def _rule(group: str, resources: list[str], verbs: list[str], **names: list[str]) -> Manifest:
    return {"apiGroups": [group], "resources": resources, "verbs": verbs, **names}


CLUSTER_ROLE = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": ROLE},
    "rules": [
        _rule("stoker.dev", ["llmdeployments"], ["get", "list", "watch"]),
        _rule("stoker.dev", ["llmdeployments/status"], ["get", "patch"]),
        _rule("", ["configmaps", "persistentvolumeclaims", "serviceaccounts", "services"], _ALL),
        _rule("", ["pods"], ["get", "list", "watch"]),
        _rule("", ["events"], ["create", "patch"]),
        _rule("apps", ["deployments"], _ALL),
        _rule("policy", ["poddisruptionbudgets"], _ALL),
        _rule("networking.k8s.io", ["networkpolicies"], _ALL),
        _rule("monitoring.coreos.com", ["podmonitors"], _ALL),
        _rule(RBAC, ["rolebindings"], _ALL),
        _rule(RBAC, ["clusterroles"], ["bind"], resourceNames=[SIDECAR_ROLE]),
        _rule("coordination.k8s.io", ["leases"], ["create", "get", "update"]),
    ],
}
SIDECAR_CLUSTER_ROLE = {
    "apiVersion": f"{RBAC}/v1",
    "kind": "ClusterRole",
    "metadata": {"name": SIDECAR_ROLE},
    "rules": [_rule("", ["pods/status"], ["patch"])],
}


def service_account(name: str) -> Manifest:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def granted(account: str, account_namespace: str) -> Manifest:
    """The rights of an operator in the namespace in which this is applied."""
    subject = {"kind": "ServiceAccount", "name": account, "namespace": account_namespace}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": account},
        "roleRef": {"apiGroup": RBAC, "kind": "ClusterRole", "name": ROLE},
        "subjects": [subject],
    }
