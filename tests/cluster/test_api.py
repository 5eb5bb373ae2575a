"""The LLMDeployment API on a real API server: what it takes, what it refuses, how it reads."""

import json
import uuid
from collections.abc import Iterator
from functools import partial
from typing import Any

import pytest
from kubernetes import client, config
from kubernetes.client.exceptions import ApiException

from bed.cluster import Cluster, KubectlError, Namespace, wait_for
from stoker_api.crd import custom_resource_definition
from stoker_api.errors import InvalidManifestError
from stoker_api.reading import read
from support.api_cases import CASES, CHANGES, NAMES, SHAPES, Case, Change
from support.manifests import Json, manifest, problems_of

GROUP, VERSION, PLURAL = "stoker.dev", "v1alpha1", "llmdeployments"


class Judge:
    """The API server, asked what it would say of an LLMDeployment."""

    def __init__(self, cluster: Cluster, namespace: Namespace) -> None:
        loaded = config.new_client_from_config(cluster.kubeconfig)
        self._objects = client.CustomObjectsApi(loaded)
        self._namespace = namespace.name

    def complaint(self, document: Json, *, replaces: str | None = None) -> str:
        """What it has against `document`; nothing where it would take it."""
        metadata = document["metadata"] | {"namespace": self._namespace}
        document = document | {"metadata": metadata}
        where = (GROUP, VERSION, self._namespace, PLURAL)
        how: dict[str, Any] = {"dry_run": "All", "field_validation": "Strict"}
        try:
            if replaces is None:
                self._objects.create_namespaced_custom_object(*where, document, **how)
            else:
                metadata["resourceVersion"] = replaces
                self._objects.replace_namespaced_custom_object(
                    *where, metadata["name"], document, **how
                )
        except ApiException as refusal:
            return str(json.loads(refusal.body or "{}")["message"])
        return ""


@pytest.fixture(scope="module")
def crd(cluster: Cluster) -> None:
    """The LLMDeployment API, installed, and known to kubectl by its short names."""
    _install(cluster, custom_resource_definition())
    for name in ("llmd", "llm"):
        wait_for(partial(cluster.kubectl, "get", name, "--all-namespaces"))


@pytest.fixture
def judge(cluster: Cluster, crd: None, namespace: Namespace) -> Judge:  # noqa: ARG001
    return Judge(cluster, namespace)


def test_every_rule_is_judged_alike_by_validate_and_by_the_api_server(judge: Judge) -> None:
    unlike: list[str] = []
    for case in CASES:
        unlike += _unlike_in(judge, case)
    assert not unlike, "\n".join(unlike)


def _unlike_in(judge: Judge, case: Case) -> Iterator[str]:
    for spec in case.accepted:
        if complaint := judge.complaint(manifest(spec)):
            yield f"{case.says}: {spec} should be accepted, but: {complaint}"
    for spec in case.refused:
        complaint = judge.complaint(manifest(spec))
        for problem in problems_of(manifest(spec)):
            if problem.field not in complaint or problem.message not in complaint:
                yield f"{case.says}: {spec}: validate says {problem}, the server {complaint!r}"


def test_every_wrong_shape_is_refused(judge: Judge) -> None:
    accepted = [spec for _, spec in SHAPES if not judge.complaint(manifest(spec))]
    assert accepted == []


def test_a_name_that_a_service_cannot_bear_is_refused(judge: Judge) -> None:
    for metadata in NAMES.accepted:
        assert judge.complaint(manifest(**metadata)) == ""
    for metadata in NAMES.refused:
        (problem,) = problems_of(manifest(**metadata))
        assert problem.message in judge.complaint(manifest(**metadata))


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.says)
def test_an_update_is_judged_against_what_it_replaces(
    judge: Judge, namespace: Namespace, change: Change
) -> None:
    namespace.apply(_placed(manifest(change.before), namespace))
    stored = namespace.get("llmd", "phi3")["metadata"]["resourceVersion"]
    assert judge.complaint(manifest(change.accepted), replaces=stored) == ""
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest(change.refused), replaces=read(manifest(change.before)))
    (problem,) = caught.value.problems
    complaint = judge.complaint(manifest(change.refused), replaces=stored)
    assert problem.message in complaint
    assert problem.field in complaint


def test_defaults_are_stored_as_python_knows_them(crd: None, namespace: Namespace) -> None:  # noqa: ARG001
    namespace.apply(_placed(manifest(), namespace))
    stored = namespace.get("llmd", "phi3")
    assert read(stored).spec == read(manifest()).spec
    assert stored["spec"]["keepAlive"] == -1
    assert stored["spec"]["storage"]["emptyDir"] == {}
    assert stored["spec"]["heartbeat"]["canary"]["timeout"] == "15s"


def test_kubectl_explain_reads_like_documentation(crd: None, cluster: Cluster) -> None:  # noqa: ARG001
    told = " ".join(cluster.kubectl("explain", "llmd.spec.gpu.minOffload").split())
    assert "Ollama offloads what fits and says nothing about the rest." in told
    told = cluster.kubectl("explain", "llmd", "--recursive")
    assert "topologySpreadConstraints" in told


def test_kubectl_get_shows_the_heat(crd: None, namespace: Namespace) -> None:  # noqa: ARG001
    namespace.apply(_placed(manifest({"gpu": {"memoryBudget": "8Gi"}}), namespace))
    status = {
        "phase": "Degraded",
        "hot": "2/3",
        "gpu": {"vram": "4.9Gi"},
        "latency": {"firstToken": "180ms"},
        "model": {"digest": "sha256:0", "contextLength": 8192},
    }
    _merge(namespace, "llmd/phi3", {"status": status}, "--subresource=status")
    head, row = namespace.kubectl("get", "llm").splitlines()
    assert head.split() == ["NAME", "MODEL", "PHASE", "HOT", "VRAM", "FIRST-TOKEN", "AGE"]
    assert row.split()[:-1] == ["phi3", "phi3:mini", "Degraded", "2/3", "4.9Gi", "180ms"]
    head, row = namespace.kubectl("get", "llmd", "--output=wide").splitlines()
    assert head.split()[-3:] == ["DIGEST", "BUDGET", "CONTEXT"]
    assert row.split()[-3:] == ["sha256:0", "8Gi", "8192"]
    assert "llmdeployment.stoker.dev/phi3" in namespace.kubectl("get", "all")


def test_kubectl_scale_sets_the_replicas_and_hears_the_rules(
    crd: None,  # noqa: ARG001
    namespace: Namespace,
) -> None:
    namespace.apply(_placed(manifest(), namespace))
    namespace.kubectl("scale", "llmd/phi3", "--replicas=3")
    assert namespace.get("llmd", "phi3")["spec"]["replicas"] == 3
    with pytest.raises(KubectlError, match=r"must be greater than or equal to 0"):
        namespace.kubectl("scale", "llmd/phi3", "--replicas=-1", "--current-replicas=3")
    one_pod = {
        "storage": {"existingClaim": "models"},
        "rollout": {"maxSurge": 0, "maxUnavailable": 1},
    }
    namespace.apply(_placed(manifest(one_pod, name="one"), namespace))
    with pytest.raises(KubectlError, match="two pods must not pull into one claim"):
        namespace.kubectl("scale", "llmd/one", "--replicas=2")


def test_two_who_set_one_field_are_told_of_each_other(crd: None, namespace: Namespace) -> None:  # noqa: ARG001
    def apply_as(manager: str, spec: Json) -> None:
        document = json.dumps(_placed(manifest(spec), namespace))
        arguments = ("apply", "--server-side", f"--field-manager={manager}", "-f", "-")
        namespace.kubectl(*arguments, stdin=document)

    apply_as("team-a", {"replicas": 1, "server": {"env": [{"name": "A", "value": "1"}]}})
    apply_as("team-b", {"server": {"env": [{"name": "B", "value": "2"}]}})
    names = [each["name"] for each in namespace.get("llmd", "phi3")["spec"]["server"]["env"]]
    assert names == ["A", "B"]
    with pytest.raises(KubectlError, match=r'conflict with "team-a"[^$]*\.spec\.replicas'):
        apply_as("team-b", {"replicas": 2})


def test_an_object_from_an_older_schema_still_reads_and_can_be_mended(
    cluster: Cluster, namespace: Namespace
) -> None:
    """In a group of its own, where the older schema knew fewer rules and one field more."""
    group = f"t{uuid.uuid4().hex[:8]}.{GROUP}"
    current = _in_group(custom_resource_definition(), group)
    older = _without_rules(current)
    spec = older["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"]
    spec["properties"]["retired"] = {"type": "string", "maxLength": 10}
    old_spec = {"replicas": 2, "keepAlive": 0, "retired": "yes"}
    document = manifest(old_spec) | {"apiVersion": f"{group}/{VERSION}"}
    try:
        _install(cluster, older)
        namespace.apply(_placed(document, namespace))
        _install(cluster, current)
        kind = f"{PLURAL}.{group}"
        stored = wait_for(lambda: _without_retired(namespace.get(kind, "phi3")))
        assert stored["spec"]["keepAlive"] == 0
        with pytest.raises(InvalidManifestError, match="keepAlive"):
            read(stored | {"apiVersion": f"{GROUP}/{VERSION}"})
        namespace.kubectl("scale", f"{kind}/phi3", "--replicas=1")  # a rule it breaks already
        _merge(namespace, f"{kind}/phi3", {"spec": {"keepAlive": 60}})
        with pytest.raises(KubectlError, match="0 would unload the model"):
            _merge(namespace, f"{kind}/phi3", {"spec": {"keepAlive": 0}})
    finally:
        cluster.kubectl("delete", "crd", f"{PLURAL}.{group}", "--ignore-not-found")


def _placed(document: Json, namespace: Namespace) -> Json:
    return document | {"metadata": document["metadata"] | {"namespace": namespace.name}}


def _merge(namespace: Namespace, what: str, patch: Json, *options: str) -> None:
    namespace.kubectl("patch", what, "--type=merge", f"--patch={json.dumps(patch)}", *options)


def _install(cluster: Cluster, definition: Json) -> None:
    name = definition["metadata"]["name"]
    apply = ("apply", "--server-side", "--force-conflicts", "--filename=-")
    cluster.kubectl(*apply, stdin=json.dumps(definition))

    def is_established() -> None:
        conditions = cluster.get("crd", name).get("status", {}).get("conditions")
        assert ("Established", "True") in [
            (each["type"], each["status"]) for each in conditions or []
        ]

    wait_for(is_established)


def _in_group(definition: Json, group: str) -> Json:
    names = definition["spec"]["names"] | {"shortNames": [], "categories": []}
    spec = definition["spec"] | {"group": group, "names": names}
    return definition | {"metadata": {"name": f"{PLURAL}.{group}"}, "spec": spec}


def _without_rules(node: Any) -> Any:
    if isinstance(node, list):
        return [_without_rules(item) for item in node]
    if not isinstance(node, dict):
        return node
    kept = {key: value for key, value in node.items() if key != "x-kubernetes-validations"}
    return {key: _without_rules(value) for key, value in kept.items()}


def _without_retired(stored: Json) -> Json:
    """The object as the new schema shows it: the API server takes a moment to switch."""
    assert "retired" not in stored["spec"]
    return stored
