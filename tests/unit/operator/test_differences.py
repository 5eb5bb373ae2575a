"""What needs no write: an object that has all that was applied last."""

from copy import deepcopy
from typing import Any

import pytest

from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.marks import marked
from stoker_operator.differences import is_applied
from support.manifests import Json, merged, resource

SETTINGS = Settings("stoker-sidecar:test")
SPEC = {"replicas": 2, "server": {"resources": {"requests": {"cpu": "1000m", "memory": "1Gi"}}}}


def wanted(kind: str = "Deployment") -> Manifest:
    objects = desired(resource(SPEC, uid="1"), SETTINGS)
    return marked(next(each for each in objects if each["kind"] == kind))


def as_kept(manifest: Manifest) -> Manifest:
    """As the API server has it: with a status, a version and defaults, in its own spelling."""
    kept = merged(
        deepcopy(manifest),
        {"metadata": {"resourceVersion": "7", "uid": "2"}, "status": {"replicas": 2}},
    )
    ollama = kept["spec"]["template"]["spec"]["containers"][0]
    ollama["terminationMessagePath"] = "/dev/termination-log"
    ollama["resources"]["requests"]["cpu"] = "1"
    return kept


@pytest.mark.parametrize("kind", ["Deployment", "Service", "ConfigMap", "RoleBinding"])
def test_what_was_applied_and_is_all_there_needs_no_write(kind: str) -> None:
    assert is_applied(wanted(kind), wanted(kind))


def test_defaults_a_status_and_another_spelling_of_a_quantity_are_no_difference() -> None:
    assert is_applied(wanted(), as_kept(wanted()))


def test_what_others_have_added_is_no_difference() -> None:
    kept = as_kept(wanted())
    kept["metadata"]["labels"]["team"] = "a"
    kept["spec"]["template"]["spec"]["containers"].insert(0, {"name": "injected"})

    assert is_applied(wanted(), kept)


def test_what_is_empty_may_be_left_out_by_the_api_server() -> None:
    spec: Json = {"podTemplate": {"affinity": {"podAffinity": {}}}}
    objects = desired(resource(spec, uid="1"), SETTINGS)
    empty = marked(next(each for each in objects if each["kind"] == "Deployment"))
    kept = deepcopy(empty)
    del kept["spec"]["template"]["spec"]["affinity"]["podAffinity"]

    assert is_applied(empty, kept)


def change(path: str, value: Any) -> Manifest:
    kept = as_kept(wanted())
    *steps, last = (step.replace("|", "/") for step in path.split("/"))
    place: Any = kept
    for step in steps:
        place = place[int(step) if step.isdigit() else step]
    if value is None:
        del place[int(last) if last.isdigit() else last]
    else:
        place[last] = value
    return kept


@pytest.mark.parametrize(
    ("path", "value"),
    [
        ("spec/replicas", 3),
        ("spec/replicas", None),
        ("metadata/labels/app.kubernetes.io|managed-by", None),
        ("metadata/ownerReferences", []),
        ("spec/template/spec/readinessGates", []),
        ("spec/template/spec/containers/0", None),
        ("spec/template/spec/containers/0/image", "ollama/ollama:other"),
        ("spec/template/spec/containers/0/resources/requests/cpu", "2"),
        ("spec/template/spec/initContainers/0/securityContext/readOnlyRootFilesystem", False),
        ("spec/template/spec/securityContext", {}),
    ],
)
def test_what_others_have_changed_or_taken_is_a_difference(path: str, value: Any) -> None:
    assert not is_applied(wanted(), change(path, value))


def test_another_wish_is_a_difference_even_where_it_only_leaves_something_out() -> None:
    plain = marked(
        next(
            each
            for each in desired(resource({"replicas": 2}, uid="1"), SETTINGS)
            if each["kind"] == "Deployment"
        )
    )

    assert not is_applied(plain, as_kept(wanted()))


def test_what_was_never_applied_is_a_difference() -> None:
    kept = as_kept(wanted())
    del kept["metadata"]["annotations"]

    assert not is_applied(wanted(), kept)
