"""Each right of the operator is needed: without it, it says which one it lacks."""

import json
from collections.abc import Iterator
from copy import deepcopy
from functools import partial

import pytest

from bed.cluster import Namespace, wait_for
from cluster.chart.bearer import account, signed_in
from cluster.operator.installation import ACCOUNT, Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node
from cluster.operator.rights import RBAC, granted, operator_rules
from stoker_api.reading import read
from stoker_api.wire import HOT_CONDITION
from stoker_operator.desired import NetworkPolicySettings, Settings, desired
from support.charts import sidecar_role
from support.manifests import Json

# Where Kubernetes has other words for it.
MISSED = {("bind", "clusterroles"): "attempting to grant RBAC permissions not currently held"}

# LLMDeployments whose objects' names are somebody else's: all but the Deployment's, and just that.
# The Deployment comes last, and not at all where what its pods would get is somebody else's.
TAKEN, TAKEN_LAST = "taken", "taken-last"

MADE = ("create", "get", "list", "patch", "watch")
MADE_AND_DELETED = (*MADE, "delete")
RIGHTS: dict[str, tuple[str, ...]] = {
    "llmdeployments": ("get", "list", "watch"),
    "llmdeployments/status": ("patch",),
    "configmaps": MADE,
    "deployments": MADE,
    "networkpolicies": MADE,
    "persistentvolumeclaims": MADE_AND_DELETED,
    "poddisruptionbudgets": MADE_AND_DELETED,
    "podmonitors": MADE,
    "rolebindings": MADE,
    "serviceaccounts": MADE,
    "services": MADE,
    "pods": ("list", "watch"),
    "events": ("create", "patch"),
    "leases": ("create", "get", "update"),
    "clusterroles": ("bind",),
}

POD_MONITORS: Json = {
    "apiVersion": "apiextensions.k8s.io/v1",
    "kind": "CustomResourceDefinition",
    "metadata": {"name": "podmonitors.monitoring.coreos.com"},
    "spec": {
        "group": "monitoring.coreos.com",
        "names": {"kind": "PodMonitor", "plural": "podmonitors"},
        "scope": "Namespaced",
        "versions": [
            {
                "name": "v1",
                "served": True,
                "storage": True,
                "schema": {
                    "openAPIV3Schema": {
                        "type": "object",
                        "x-kubernetes-preserve-unknown-fields": True,
                    }
                },
            }
        ],
    },
}

FULL = on_a_fake_node({"disruption": {"minHot": 1}})
STORED = on_a_fake_node(
    {
        "storage": {"volumeClaim": {"size": "1Gi", "whenDeleted": "Delete"}},
        "rollout": {"maxSurge": 0, "maxUnavailable": 1},
        "disruption": {"minHot": 1},
    }
)


def test_the_operator_may_do_this_and_nothing_else(installation: Installation) -> None:
    """By Kubernetes' own word, beside what everybody may."""
    home = installation.home
    account(home, "nobody")
    own, nobody = (signed_in(home, name).rights(home.name) for name in (ACCOUNT, "nobody"))
    may = {(verb, resource.split()[0]) for verb, _, resource in own - nobody}
    assert may == {(verb, of) for of, verbs in RIGHTS.items() for verb in verbs}
    named = {resource for _, _, resource in own if " " in resource}
    assert named == {f"clusterroles {sidecar_role()}", "leases stoker-operator"}


@pytest.fixture(scope="module")
def pod_monitors(api: None, request: pytest.FixtureRequest) -> Iterator[None]:  # noqa: ARG001
    """The API of the Prometheus operator, without the Prometheus operator."""
    cluster = request.getfixturevalue("cluster")
    name = f"crd/{POD_MONITORS['metadata']['name']}"
    cluster.kubectl("apply", "--server-side", "--filename=-", stdin=json.dumps(POD_MONITORS))
    cluster.kubectl("wait", "--for=condition=Established", name)
    yield
    cluster.kubectl("delete", name, "--wait=false")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("verb", "of"), [(verb, of) for of, verbs in RIGHTS.items() for verb in verbs]
)
def test_without_it_the_operator_says_so(
    installation: Installation,
    pod_monitors: None,  # noqa: ARG001
    verb: str,
    of: str,
) -> None:
    grant_all_but(installation.home, verb, of)
    occupy(installation.home)
    operator = installation.start("--network-policy", "--pod-monitor")
    words = MISSED.get((verb, of), f'cannot {verb} resource "{of}"')
    for seconds in story(installation):
        if says(operator, words, seconds):
            return
    pytest.fail(f"nothing was missed:\n{operator.tail()}")


def test_one_that_has_no_rights_yet_works_once_it_has_them(
    installation: Installation, own: Resource
) -> None:
    own.namespace.kubectl("delete", "rolebinding", ACCOUNT, f"{ACCOUNT}-lease")
    own.apply(on_a_fake_node())
    operator = installation.start()
    assert says(operator, 'cannot get resource "leases"', 30), operator.tail()
    installation.prepare()
    own.until_hot(seconds=60)


@pytest.mark.slow
def test_one_that_loses_its_rights_and_gets_them_back(
    installation: Installation, own: Resource
) -> None:
    operator = installation.started()
    own.apply(on_a_fake_node())
    own.until_hot()
    own.namespace.kubectl("delete", "rolebinding", ACCOUNT)
    own.merge({"spec": {"replicas": 2}})
    assert says(operator, "forbidden", 30), operator.tail()
    installation.prepare()
    own.until_hot(replicas=2, seconds=90)


def story(installation: Installation) -> Iterator[float]:
    """All that makes an operator use its rights; after each step, for how long to listen."""
    phi3, stored, taken, taken_last = (
        Resource(installation.home, name, installation.settings)
        for name in ("phi3", "stored", TAKEN, TAKEN_LAST)
    )
    yield 3
    phi3.apply(FULL)
    for resource in (stored, taken, taken_last):
        resource.apply(STORED)
    yield 5
    # What is no longer wanted is deleted. Before that the operator looks whether its owner stays.
    stored.apply(on_a_fake_node())
    yield 5
    # A second event of a kind is the first one, counted.
    for _ in range(2):
        for state, replicas in (("False", 0), ("True", 1)):
            set_heat(phi3, state)
            phi3.namespace.wait_for(partial(assert_hot_replicas, phi3, replicas))
    yield 10


def says(operator: Operator, words: str, seconds: float) -> bool:
    """Whether its log has these words within that time."""

    def said() -> None:
        values = [str(value) for line in operator.lines() for value in line.values()]
        assert any(words in value for value in values)

    try:
        wait_for(said, seconds)
    except AssertionError:
        return False
    return True


def grant_all_but(namespace: Namespace, verb: str, of: str) -> None:
    """Has the operator's account have every right in its namespace, and not this one."""
    rules = deepcopy(operator_rules())
    for rule in rules:
        if of in rule["resources"] and verb in rule["verbs"]:
            # The others of this rule keep what this one loses.
            rules.append({**rule, "verbs": [each for each in rule["verbs"] if each != verb]})
            rule["resources"] = [each for each in rule["resources"] if each != of]
            rules[-1]["resources"] = [of]
    role = {"apiVersion": f"{RBAC}/v1", "kind": "Role", "metadata": {"name": "but-one"}}
    binding = granted(ACCOUNT, namespace.name)
    namespace.kubectl("delete", "rolebinding", ACCOUNT, f"{ACCOUNT}-lease")
    namespace.apply(
        {**role, "rules": [rule for rule in rules if rule["resources"] and rule["verbs"]]},
        {**binding, "roleRef": {"apiGroup": RBAC, "kind": "Role", "name": "but-one"}},
    )


def occupy(namespace: Namespace) -> None:
    """Objects of somebody else that have the names of what two LLMDeployments would have."""
    settings = Settings("none", network_policy=NetworkPolicySettings(), pod_monitor=True)
    for name in (TAKEN, TAKEN_LAST):
        resource = Resource(namespace, name, settings)
        manifest = resource.manifest(STORED | {"replicas": 0}, namespace=namespace.name)
        wanted = desired(read(manifest), settings)
        theirs = [each for each in wanted if (each["kind"] == "Deployment") == (name == TAKEN_LAST)]
        for each in theirs:
            del each["metadata"]["labels"]
        namespace.apply(*theirs)


def set_heat(resource: Resource, state: str) -> None:
    """Says of its pod what a sidecar would say."""
    (pod,) = resource.pods().values()
    condition = {"type": HOT_CONDITION, "status": state, "reason": "Told", "message": "So."}
    resource.namespace.patch_status("pod", pod["metadata"]["name"], {"conditions": [condition]})


def assert_hot_replicas(resource: Resource, count: int) -> None:
    assert resource.status().get("hotReplicas") == count
