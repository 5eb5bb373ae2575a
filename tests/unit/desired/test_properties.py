"""What holds of the objects of every valid spec."""

import json
import re
from collections.abc import Iterator
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker_api.reading import read
from stoker_api.wire import HeatConfig
from stoker_operator.desired import Manifest, NetworkPolicySettings, Settings, desired
from support.kubernetes_schemas import complaint, is_known
from support.manifests import Json, manifest, resource
from support.specs import LIVE_FIELDS, specs

SETTINGS = Settings("stoker-sidecar:test", network_policy=NetworkPolicySettings(), pod_monitor=True)
LABEL_KEY = re.compile(r"([a-z0-9.-]{1,253}/)?[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?")
LABEL_VALUE = re.compile(r"([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?")
OBJECT_NAME = re.compile(r"[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?")
NAMES = st.from_regex(r"[a-z]([-a-z0-9]{0,61}[a-z0-9])?", fullmatch=True)

calm = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=60)


def rendered(spec: Json, *, name: str = "phi3") -> dict[str, Manifest]:
    """What `spec` renders to, by kind."""
    objects = desired(resource(spec, name=name), SETTINGS)
    by_kind = {each["kind"]: each for each in objects}
    assert len(by_kind) == len(objects)
    return by_kind


def template(spec: Json) -> Manifest:
    pod: Manifest = rendered(spec)["Deployment"]["spec"]["template"]
    return pod


def labels_in(node: Any) -> Iterator[tuple[str, str]]:
    """Every label and selector in an object."""
    if isinstance(node, list):
        for item in node:
            yield from labels_in(item)
    elif isinstance(node, dict):
        for key, value in node.items():
            if key in ("labels", "matchLabels") or (
                key == "selector" and "matchLabels" not in value
            ):
                yield from value.items()
            yield from labels_in(value)


@calm
@given(specs, NAMES)
def test_every_object_keeps_to_kubernetes_schemas(spec: Json, name: str) -> None:
    for kind, each in rendered(spec, name=name).items():
        if kind == "PodMonitor":
            assert not is_known(each)
        else:
            assert complaint(each) is None


@calm
@given(specs, NAMES)
def test_names_and_labels_are_valid_and_say_whose_they_are(spec: Json, name: str) -> None:
    for kind, each in rendered(spec, name=name).items():
        metadata = each["metadata"]
        longest = 63 if kind in ("Service", "Deployment") else 253
        assert OBJECT_NAME.fullmatch(metadata["name"])
        assert len(metadata["name"]) <= longest
        assert metadata["namespace"] == "llms"
        assert metadata["labels"]["stoker.dev/llmdeployment"] == name
        for key, value in labels_in(each):
            assert LABEL_KEY.fullmatch(key)
            assert LABEL_VALUE.fullmatch(value)


@calm
@given(specs)
def test_rendering_is_deterministic_and_idempotent(spec: Json) -> None:
    first = read(manifest(spec))
    backwards = read(manifest(dict(reversed(spec.items()))))
    stored = read(json.loads(json.dumps(first.as_json())))
    assert desired(first, SETTINGS) == desired(backwards, SETTINGS) == desired(stored, SETTINGS)


@calm
@given(specs, st.fixed_dictionaries({}, optional=LIVE_FIELDS))
def test_a_heat_neutral_change_never_alters_the_pod_template(spec: Json, change: Json) -> None:
    assert template(spec) == template(spec | change)


@calm
@given(specs)
def test_nothing_in_a_spec_removes_the_gate_or_gains_privilege(spec: Json) -> None:
    pod = template(spec)["spec"]
    assert pod["readinessGates"] == [{"conditionType": "stoker.dev/hot"}]
    assert pod["securityContext"]["runAsNonRoot"] is True
    assert pod["serviceAccountName"] == "phi3-sidecar"
    assert pod["automountServiceAccountToken"] is False
    assert not pod.keys() & {"hostNetwork", "hostPID", "hostIPC", "hostUsers"}
    sources = {key for volume in pod["volumes"] for key in volume} - {"name"}
    assert sources <= {"emptyDir", "persistentVolumeClaim", "configMap", "projected"}
    users = set()
    for container in pod["initContainers"] + pod["containers"]:
        security = container["securityContext"]
        users.add(security["runAsUser"])
        assert security["allowPrivilegeEscalation"] is False
        assert security["readOnlyRootFilesystem"] is True
        assert security["capabilities"] == {"drop": ["ALL"]}
        assert "privileged" not in security
    assert len(users) == 2
    assert 0 not in users
    assert "token" not in [mount["name"] for mount in pod["containers"][0]["volumeMounts"]]


@calm
@given(specs)
def test_the_selector_finds_the_pods_of_all_revisions(spec: Json) -> None:
    objects = rendered(spec)
    selector = objects["Deployment"]["spec"]["selector"]["matchLabels"]
    assert selector == {"stoker.dev/llmdeployment": "phi3"}
    assert objects["Service"]["spec"]["selector"] == selector
    assert selector.items() <= template(spec)["metadata"]["labels"].items()


@calm
@given(specs)
def test_the_heat_file_is_what_the_sidecar_reads_and_names_no_model(spec: Json) -> None:
    text = rendered(spec)["ConfigMap"]["data"]["heat.json"]
    config = HeatConfig.from_json(text)
    assert config.to_json() == text
    assert rendered(spec | {"model": "other:model"})["ConfigMap"]["data"]["heat.json"] == text


@calm
@given(specs)
def test_a_pod_may_end_only_after_it_has_drained(spec: Json) -> None:
    wanted = resource(spec).spec.routing.drain_timeout.total_seconds()
    assert template(spec)["spec"]["terminationGracePeriodSeconds"] >= wanted + 15
