"""Who may write an LLMDeployment gains nothing by it that belongs to somebody else."""

import pytest

from cluster.operator.resource import Resource, exists, on_a_fake_node
from support.manifests import Json, merged

# What pods would have of it, were it taken for the LLMDeployment's own: the name is the author's
# to choose, and so are the images.
LENT: dict[str, tuple[str, Json, Json]] = {
    "the rights of a ServiceAccount": (
        "sidecar",
        {"apiVersion": "v1", "kind": "ServiceAccount"},
        {},
    ),
    "the contents of a ConfigMap": (
        "heat",
        {"apiVersion": "v1", "kind": "ConfigMap", "data": {"heat.json": "theirs"}},
        {},
    ),
    "the data of a claim": (
        "models",
        {
            "apiVersion": "v1",
            "kind": "PersistentVolumeClaim",
            "spec": {
                "accessModes": ["ReadWriteOnce"],
                "resources": {"requests": {"storage": "1Gi"}},
            },
        },
        {
            "storage": {"volumeClaim": {"size": "1Gi"}},
            "rollout": {"maxSurge": 0, "maxUnavailable": 1},
        },
    ),
}


@pytest.mark.parametrize("what", LENT)
def test_no_pod_gets_what_only_has_the_right_name(resource: Resource, what: str) -> None:
    suffix, theirs, spec = LENT[what]
    name, kind = f"{resource.name}-{suffix}", theirs["kind"]
    resource.namespace.apply({**theirs, "metadata": {"name": name}})

    resource.apply(merged(on_a_fake_node(), spec))

    resource.until_condition("Accepted", "False", "NameTaken", kind, name)
    assert not exists(resource.namespace, "deployment", resource.name)
    assert resource.pods() == {}
    # All is well as soon as the name is free.
    resource.namespace.kubectl("delete", kind, name, "--wait=false")
    if kind != "PersistentVolumeClaim":  # the bed has no storage for claims
        resource.until_hot(seconds=60)
