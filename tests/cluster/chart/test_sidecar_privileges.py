"""A sidecar's token is good for the gate of its own pod, and for nothing else."""

import json
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

from bed.cluster import Cluster, KubectlError, Manifest, Namespace
from cluster.chart.bearer import Bearer, account, signed_in
from cluster.operator.installation import fresh_namespace
from support.charts import sidecar_rights, sidecar_role
from support.manifests import Json

ACCOUNT = "phi3-sidecar"
OPEN: Json = {"status": {"conditions": [{"type": "stoker.dev/hot", "status": "True"}]}}
SHUT: Json = {"status": {"conditions": [{"type": "stoker.dev/hot", "status": "False"}]}}

OWN_POD = "the gate of its own pod, and of no other"
METADATA = "leaves the metadata of its pod as it is"
STATUS = "sets conditions, and nothing else"
CONDITIONS = "conditions of the domain stoker.dev, and no others"


@dataclass(frozen=True)
class Scene:
    """Two pods of one LLMDeployment, and the sidecar of the first."""

    namespace: Namespace
    sidecar: Bearer

    def attempt(self, pod: str, patch: Json) -> str:
        """What the API server has against this patch; nothing where it takes it."""
        before = self.namespace.get("pod", pod)
        answer = self.sidecar.patch_status(self.namespace.name, pod, patch)
        if answer.status == 200:
            return ""
        after = self.namespace.get("pod", pod)
        assert after["metadata"]["resourceVersion"] == before["metadata"]["resourceVersion"]
        assert answer.status == 403, answer
        return answer.message


@pytest.fixture(scope="module")
def scene(cluster: Cluster) -> Iterator[Scene]:
    cluster.kubectl(
        *("apply", "--server-side", "--force-conflicts", "--filename=-"),
        stdin="\n---\n".join(map(json.dumps, sidecar_rights())),
    )
    with fresh_namespace(cluster, "privileges") as namespace:
        account(namespace, ACCOUNT, sidecar_role())
        pods = [pod(namespace, name) for name in ("own", "other")]
        yield Scene(namespace, signed_in(namespace, ACCOUNT, pod=pods[0]))


def pod(namespace: Namespace, name: str) -> Manifest:
    """A pod that no node takes, with an address that nobody has."""
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "Pod",
            "metadata": {"name": name, "labels": {"app": "phi3"}},
            "spec": {
                "serviceAccountName": ACCOUNT,
                "nodeSelector": {"stoker.dev/no": "node"},
                "securityContext": {
                    "runAsNonRoot": True,
                    "runAsUser": 10002,
                    "seccompProfile": {"type": "RuntimeDefault"},
                },
                "containers": [
                    {
                        "name": "sidecar",
                        "image": "localhost/none:1",
                        "securityContext": {
                            "allowPrivilegeEscalation": False,
                            "capabilities": {"drop": ["ALL"]},
                        },
                    }
                ],
            },
        }
    )

    def scheduled() -> None:
        # The scheduler's word, so that nothing changes any more while the test looks.
        assert conditions(namespace.get("pod", name)).get("PodScheduled") == "False"

    namespace.wait_for(scheduled)
    namespace.patch_status("pod", name, {"podIP": "10.9.9.9", "podIPs": [{"ip": "10.9.9.9"}]})
    return namespace.get("pod", name)


def conditions(found: Manifest) -> dict[str, str]:
    listed = found["status"].get("conditions", [])
    return {each["type"]: each["status"] for each in listed}


def test_it_opens_and_shuts_the_gate_of_its_own_pod(scene: Scene) -> None:
    for patch, state in ((OPEN, "True"), (SHUT, "False"), ({}, "False"), (OPEN, "True")):
        assert scene.attempt("own", patch) == ""
        assert conditions(scene.namespace.get("pod", "own"))["stoker.dev/hot"] == state


REFUSED: dict[str, tuple[str, Json, str]] = {
    "the gate of another pod": ("other", OPEN, OWN_POD),
    "a look at another pod": ("other", {}, OWN_POD),
    "a label, to draw the traffic of another Service": (
        "own",
        {"metadata": {"labels": {"app": "bank"}}},
        METADATA,
    ),
    "a label of its own": ("own", {"metadata": {"labels": {"new": "one"}}}, METADATA),
    "a label taken away": ("own", {"metadata": {"labels": {"app": None}}}, METADATA),
    "an annotation": ("own", {"metadata": {"annotations": {"new": "one"}}}, METADATA),
    "a finalizer": ("own", {"metadata": {"finalizers": ["stoker.dev/stay"]}}, METADATA),
    "the address that traffic goes to": (
        "own",
        {"status": {"podIP": "10.9.9.1", "podIPs": [{"$patch": "replace"}, {"ip": "10.9.9.1"}]}},
        STATUS,
    ),
    "no address": ("own", {"status": {"podIP": None, "podIPs": None}}, STATUS),
    "the phase": ("own", {"status": {"phase": "Failed"}}, STATUS),
    "the node": ("own", {"status": {"hostIP": "10.9.9.1"}}, STATUS),
    "a container's state": (
        "own",
        {
            "status": {
                "containerStatuses": [
                    {
                        "name": "sidecar",
                        "ready": True,
                        "image": "x",
                        "imageID": "x",
                        "restartCount": 0,
                    }
                ]
            }
        },
        STATUS,
    ),
    "that its pod is ready": (
        "own",
        {"status": {"conditions": [{"type": "Ready", "status": "True"}]}},
        CONDITIONS,
    ),
    "that its pod is to be evicted": (
        "own",
        {"status": {"conditions": [{"type": "DisruptionTarget", "status": "True"}]}},
        CONDITIONS,
    ),
    "a condition of a domain that looks like Stoker's": (
        "own",
        {"status": {"conditions": [{"type": "stoker.dev.example.com/hot", "status": "True"}]}},
        CONDITIONS,
    ),
    "a condition taken away": (
        "own",
        {"status": {"conditions": [{"type": "PodScheduled", "$patch": "delete"}]}},
        CONDITIONS,
    ),
    "all conditions but the gate taken away": (
        "own",
        {"status": {"conditions": [{"$patch": "replace"}, *OPEN["status"]["conditions"]]}},
        CONDITIONS,
    ),
    "an address beside the gate": (
        "own",
        {"status": {**OPEN["status"], "podIP": "10.9.9.1"}},
        STATUS,
    ),
}


@pytest.mark.parametrize("what", REFUSED)
def test_it_does_not_set(scene: Scene, what: str) -> None:
    pod, patch, sentence = REFUSED[what]
    assert sentence in scene.attempt(pod, patch)


def test_a_pod_on_its_way_out_can_shut_its_gate(scene: Scene) -> None:
    namespace = scene.namespace
    leaving = pod(namespace, "leaving")
    namespace.kubectl("patch", "pod", "leaving", '--patch={"metadata":{"finalizers":["a.b/stay"]}}')
    try:
        sidecar = signed_in(namespace, ACCOUNT, pod=leaving)
        namespace.kubectl("delete", "pod", "leaving", "--wait=false")
        assert "deletionTimestamp" in namespace.get("pod", "leaving")["metadata"]
        assert sidecar.patch_status(namespace.name, "leaving", SHUT).status == 200
        assert conditions(namespace.get("pod", "leaving"))["stoker.dev/hot"] == "False"
    finally:
        namespace.kubectl("patch", "pod", "leaving", '--patch={"metadata":{"finalizers":null}}')


def test_a_token_that_is_bound_to_no_pod_sets_no_gate(scene: Scene) -> None:
    anybody = signed_in(scene.namespace, ACCOUNT)
    answer = anybody.patch_status(scene.namespace.name, "own", OPEN)
    assert (answer.status, OWN_POD in answer.message) == (403, True)


def test_it_has_just_the_rights_that_it_needs(scene: Scene) -> None:
    """Beside those that everybody has."""
    account(scene.namespace, "nobody")
    nobody = signed_in(scene.namespace, "nobody")
    own = scene.sidecar.rights(scene.namespace.name) - nobody.rights(scene.namespace.name)
    assert own == {("patch", "", "pods/status"), ("hold", "stoker.dev", "gates")}


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/api/v1/namespaces/{}/secrets"),
        ("GET", "/api/v1/namespaces/{}/configmaps/kube-root-ca.crt"),
        ("GET", "/api/v1/namespaces/{}/pods/own"),
        ("PATCH", "/api/v1/namespaces/{}/pods/own"),
        ("DELETE", "/api/v1/namespaces/{}/pods/own"),
        ("PATCH", "/api/v1/namespaces/kube-system/pods/own/status"),
        ("GET", "/api/v1/nodes"),
        ("GET", "/apis/stoker.dev/v1alpha1/namespaces/{}/llmdeployments"),
        ("POST", f"/api/v1/namespaces/{{}}/serviceaccounts/{ACCOUNT}/token"),
    ],
)
def test_it_is_refused(scene: Scene, method: str, path: str) -> None:
    body: Json | None = None if method in ("GET", "DELETE") else {}
    answer = scene.sidecar.ask(method, path.format(scene.namespace.name), body)
    assert answer.status == 403, answer


def test_others_who_may_write_the_status_of_pods_are_left_alone(scene: Scene) -> None:
    """A controller with that right, and an installer with all of them."""
    namespace = scene.namespace
    namespace.kubectl("create", "role", "writer", "--verb=patch", "--resource=pods/status")
    account(namespace, "controller", "writer", kind="Role")
    account(namespace, "installer", "cluster-admin")
    for name in ("controller", "installer"):
        someone = signed_in(namespace, name)
        patch = {"status": {"message": f"seen by {name}"}}
        assert someone.patch_status(namespace.name, "other", patch).status == 200


def test_kubernetes_finds_nothing_to_warn_of_in_the_policy(scene: Scene) -> None:
    def checked() -> Manifest:
        found = scene.namespace.cluster.get("validatingadmissionpolicy", sidecar_role())
        assert "typeChecking" in found["status"], found["status"]
        return dict(found["status"])

    try:
        status = scene.namespace.wait_for(checked)
    except KubectlError as error:
        pytest.fail(str(error))
    assert status["typeChecking"] == {}
