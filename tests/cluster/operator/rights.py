"""What the operator may do: just what the chart grants, so that a right that is missing shows."""

from collections.abc import Iterator
from functools import cache

from support.charts import rendered, sidecar_rights
from support.manifests import Json

RBAC = "rbac.authorization.k8s.io"

# Every feature that has rights of its own.
FEATURES: Json = {"networkPolicy": {"enabled": True}, "podMonitor": {"enabled": True}}


@cache
def _chart() -> dict[str, Json]:
    """The chart's roles, by kind: one for what is looked after, one for the Lease."""
    objects = rendered(["operator-rbac"], FEATURES)
    return {each["kind"]: each for each in objects if each["kind"].endswith("Role")}


def everywhere() -> Iterator[Json]:
    """What belongs to no namespace: both roles, and the policy that holds sidecars to theirs."""
    yield _chart()["ClusterRole"]
    yield from sidecar_rights()


def operator_rules() -> list[Json]:
    """What it may do: where it looks after LLMDeployments, and where its Lease is."""
    return [rule for role in _chart().values() for rule in role["rules"]]


def service_account(name: str) -> Json:
    return {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}}


def lease_role() -> Json:
    """The right to lead, for the namespace in which this is applied."""
    role = _chart()["Role"]
    return {**role, "metadata": {"name": role["metadata"]["name"]}}


def granted(account: str, account_namespace: str, kind: str = "ClusterRole") -> Json:
    """The rights of an operator in the namespace in which this is applied."""
    role = _chart()[kind]["metadata"]["name"]
    subject = {"kind": "ServiceAccount", "name": account, "namespace": account_namespace}
    return {
        "apiVersion": f"{RBAC}/v1",
        "kind": "RoleBinding",
        "metadata": {"name": account if kind == "ClusterRole" else f"{account}-lease"},
        "roleRef": {"apiGroup": RBAC, "kind": kind, "name": role},
        "subjects": [subject],
    }
