"""The decisions that rendering takes, each by its own table."""

from typing import Any

import pytest

from stoker_api.resource import LLMDeployment
from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.heat import heat_config
from stoker_operator.desired.sidecar import arguments
from stoker_operator.desired.tuning import threads
from support.manifests import Json, resource

ONE_POD = {"maxSurge": 0, "maxUnavailable": 1}


def objects(spec: Json | None = None, **metadata: Any) -> list[Manifest]:
    return desired(resource(spec, **metadata), Settings("stoker-sidecar:test"))


def pod(spec: Json | None = None) -> Manifest:
    found: Manifest = objects(spec)[-1]["spec"]["template"]["spec"]
    return found


def environment(spec: Json | None = None) -> dict[str, str]:
    (ollama,) = pod(spec)["containers"]
    return {each["name"]: each["value"] for each in ollama["env"]}


@pytest.mark.parametrize(
    ("says", "wanted", "limit", "gpu", "expected"),
    [
        ("many CPUs are all used", "auto", 8, None, 8),
        ("of few CPUs one stays free", "auto", 4, None, 3),
        ("of two CPUs one stays free", "auto", "2", None, 1),
        ("one CPU is used", "auto", 1, None, 1),
        ("a part of a CPU is one thread", "auto", "500m", None, 1),
        ("a broken limit counts whole CPUs", "auto", "8500m", None, 8),
        ("without a limit Ollama decides", "auto", None, None, None),
        ("with a GPU Ollama decides", "auto", 8, {}, None),
        ("no GPU is as good as none", "auto", 8, {"count": 0}, 8),
        ("a number is taken as it is", 5, 8, None, 5),
        ("a number is taken with a GPU too", 5, None, {}, 5),
    ],
)
def test_threads(
    says: str, wanted: int | str, limit: int | str | None, gpu: Json | None, expected: int | None
) -> None:
    limits = {"resources": {"limits": {"cpu": limit}}}
    spec = {"options": {"threads": wanted}, "server": limits, "gpu": gpu}
    assert threads(resource(spec).spec) == expected, says


@pytest.mark.parametrize(
    ("written", "seconds"),
    [
        (-1, -1),
        ("-1", -1),
        (-300, -1),
        ("-24h", -1),
        (300, 300),
        ("300", 300),
        ("1h30m", 5400),
        ("90.5s", 91),
    ],
)
def test_a_keep_alive_reaches_the_sidecar_as_the_number_that_has_one_reading(
    written: int | str, seconds: int
) -> None:
    assert heat_config(resource({"keepAlive": written})).keep_alive_seconds == seconds


@pytest.mark.parametrize("written", [-1, "30m"])
def test_ollama_itself_is_told_to_keep_the_model_for_ever(written: int | str) -> None:
    assert environment({"keepAlive": written})["OLLAMA_KEEP_ALIVE"] == "-1"


@pytest.mark.parametrize(
    ("says", "spec", "seconds"),
    [
        ("on a CPU silence is never a hang", {}, None),
        ("no GPU is as good as none", {"gpu": {"count": 0}}, None),
        ("with a GPU it is after two minutes", {"gpu": {}}, 120),
        ("or after what was set", {"gpu": {}, "heartbeat": {"stall": "30s"}}, 30),
    ],
)
def test_stall(says: str, spec: Json, seconds: float | None) -> None:
    assert heat_config(resource(spec)).heartbeat.stall_seconds == seconds, says


@pytest.mark.parametrize(
    ("value", "open_anyway"), [("true", True), ("True", False), ("yes", False), ("", False)]
)
def test_only_the_word_true_breaks_the_glass(value: str, *, open_anyway: bool) -> None:
    broken = resource(annotations={"stoker.dev/treat-as-hot": value})
    assert heat_config(broken).gate.treat_as_hot is open_anyway
    assert heat_config(resource()).gate.treat_as_hot is False


def test_what_belongs_to_a_stored_object_is_owned_by_it() -> None:
    for each in objects(uid="1234"):
        assert each["metadata"]["ownerReferences"] == [
            {
                "apiVersion": "stoker.dev/v1alpha1",
                "kind": "LLMDeployment",
                "name": "phi3",
                "uid": "1234",
                "controller": True,
            }
        ]
    assert not any("ownerReferences" in each["metadata"] for each in objects())


def test_without_a_namespace_nothing_is_rendered() -> None:
    homeless = resource(namespace=None)
    with pytest.raises(ValueError, match="phi3 has no namespace"):
        desired(homeless, Settings("stoker-sidecar:test"))
    housed: LLMDeployment = homeless.in_namespace("models")
    assert desired(housed, Settings("x"))[0]["metadata"]["namespace"] == "models"
    assert resource().in_namespace("models").metadata.namespace == "llms"


@pytest.mark.parametrize(
    ("says", "gpu", "visible_to_ollama", "visible_to_sidecar"),
    [
        ("without a GPU the image's wish for all of them is denied", None, "void", None),
        ("no GPU is as good as none", {"count": 0}, "void", None),
        ("the device plugin says which, and the sidecar may look", {}, None, "all"),
        ("MIG is NVIDIA's too", {"resourceName": "nvidia.com/mig-1g.10gb"}, None, "all"),
        ("others have no NVML", {"resourceName": "amd.com/gpu"}, None, None),
    ],
)
def test_who_sees_which_gpus(
    says: str, gpu: Json | None, visible_to_ollama: str | None, visible_to_sidecar: str | None
) -> None:
    sidecar = pod({"gpu": gpu})["initContainers"][0]["env"]
    seen = {each["name"]: each.get("value") for each in sidecar}
    assert environment({"gpu": gpu}).get("NVIDIA_VISIBLE_DEVICES") == visible_to_ollama, says
    assert seen.get("NVIDIA_VISIBLE_DEVICES") == visible_to_sidecar, says


def test_the_gpus_are_a_limit_beside_the_others() -> None:
    limits = {"resources": {"limits": {"memory": "8Gi"}}}
    (ollama,) = pod({"gpu": {"count": 2}, "server": limits})["containers"]
    assert ollama["resources"] == {"limits": {"memory": "8Gi", "nvidia.com/gpu": "2"}}
    (ollama,) = pod({"gpu": {"count": 0}})["containers"]
    assert ollama["resources"] == {}


@pytest.mark.parametrize(
    ("storage", "volume", "pruned"),
    [
        ({"emptyDir": {"sizeLimit": "9Gi"}}, {"emptyDir": {"sizeLimit": "9Gi"}}, True),
        (
            {"volumeClaim": {"size": "9Gi"}},
            {"persistentVolumeClaim": {"claimName": "phi3-models"}},
            False,
        ),
        (
            {"existingClaim": "theirs"},
            {"persistentVolumeClaim": {"claimName": "theirs"}},
            False,
        ),
    ],
    ids=["emptyDir", "volumeClaim", "existingClaim"],
)
def test_stores(storage: Json, volume: Json, *, pruned: bool) -> None:
    spec = {"storage": storage, "rollout": ONE_POD}
    assert pod(spec)["volumes"][0] == {"name": "models"} | volume
    assert ("OLLAMA_NOPRUNE" not in environment(spec)) is pruned


def test_a_read_only_store_is_mounted_so() -> None:
    (ollama,) = pod({"storage": {"existingClaim": "theirs", "readOnly": True}})["containers"]
    mounts = {each["name"]: each.get("readOnly", False) for each in ollama["volumeMounts"]}
    assert mounts == {"models": True, "scratch": False, "hands": False}


def test_unset_options_are_left_to_ollama() -> None:
    unset = {"OLLAMA_CONTEXT_LENGTH", "OLLAMA_FLASH_ATTENTION", "OLLAMA_KV_CACHE_TYPE"}
    assert not unset & environment().keys()
    options = {"contextLength": 8192, "flashAttention": False, "kvCacheType": "f16"}
    told = environment({"options": options})
    assert [told[name] for name in sorted(unset)] == ["8192", "0", "f16"]


def test_the_sidecar_is_told_the_model_by_its_shortest_name() -> None:
    spec = resource({"model": "registry.ollama.ai/library/phi3"}).spec
    assert arguments(spec).model == "phi3:latest"


def test_users_tolerations_come_after_the_gpus_own() -> None:
    spec = {"gpu": {}, "podTemplate": {"tolerations": [{"operator": "Exists"}]}}
    first, second = pod(spec)["tolerations"]
    assert first == {"key": "nvidia.com/gpu", "operator": "Exists", "effect": "NoSchedule"}
    assert second == {"operator": "Exists"}
