"""A pod template, as processes of one machine."""

from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker_operator.desired import Settings, desired
from stoker_operator.local.effects import without_effect
from stoker_operator.local.plan import Container, Machine, Place, Pod, Probe, Server, pod
from stoker_operator.local.wanted import Wanted, wanted
from support.manifests import Json, resource
from support.specs import LIVE_FIELDS, specs

MODELS = "/home/me/.ollama/models"
CARRIED = "what a request can carry is asked for, the rest is as it is"

INSTALLED = "the sidecar is the one that is installed"

MACHINE = Machine(
    server=Server("/opt/bin/ollama"),
    sidecar=("/opt/bin/stoker-sidecar",),
    environment={"PATH": "/usr/bin", "LANG": "C", "HOME": "/home/me"},
    models="/home/me/.ollama/models",
)
PLACE = Place("/state/1", "/state/heat/heat.json", ollama_port=40001, sidecar_port=40002)
ATTACHED = replace(MACHINE, server=Server("http://10.0.0.1:11434", address=("10.0.0.1", 11434)))
SIMULATED = replace(
    MACHINE,
    server=Server("/state/bin/ollama", "/state/bin", (("PYTHONPATH", "/x"),), is_simulator=True),
)

calm = settings(suppress_health_check=[HealthCheck.too_slow], deadline=None, max_examples=50)


def asked(spec: Json | None = None) -> Wanted:
    found = resource(spec).in_namespace("default")
    return wanted(desired(found, Settings(sidecar_image="stoker-sidecar")))


def planned(spec: Json | None = None, machine: Machine = MACHINE, place: Place = PLACE) -> Pod:
    return pod(asked(spec).template, place, machine)


def ollama(spec: Json | None = None, machine: Machine = MACHINE, place: Place = PLACE) -> Container:
    return next(each for each in planned(spec, machine, place).containers if each.name == "ollama")


def sidecar(
    spec: Json | None = None, machine: Machine = MACHINE, place: Place = PLACE
) -> Container:
    return next(each for each in planned(spec, machine, place).containers if each.name == "sidecar")


def test_the_sidecar_starts_before_ollama_and_both_have_their_folders() -> None:
    plan = planned()
    assert [each.name for each in plan.containers] == ["sidecar", "ollama"]
    assert plan.folders == ("/home/me/.ollama/models", "/state/1/scratch", "/state/1/hands")
    assert plan.grace_seconds == 75
    assert (plan.ollama_address, plan.sidecar_port) == (("127.0.0.1", 40001), 40002)


def test_the_sidecar_gets_the_pods_arguments_and_where_its_things_are_here() -> None:
    assert sidecar({"model": "phi3:mini", "options": {"contextLength": 4096}}).argv == (
        "/opt/bin/stoker-sidecar",
        "run",
        "--model=phi3:mini",
        "--context-length=4096",
        "--parallel=1",
        "--gpus=0",
        "--pull-policy=IfNotPresent",
        "--drain-timeout-seconds=60",
        "--ollama=http://127.0.0.1:40001",
        "--listen=127.0.0.1:40002",
        "--heat-file=/state/heat/heat.json",
        "--hands=/state/1/hands",
        "--log-format=text",
    )


def test_the_probes_are_the_pods_own_at_the_replicas_port() -> None:
    here = sidecar()
    assert here.readiness == Probe("/readyz", 40002, 1, 2, 2, 75)
    assert here.liveness == Probe("/livez", 40002, 10, 2, 3, 5)
    assert (ollama().readiness, ollama().liveness) == (None, None)


def test_ollama_runs_the_pods_own_script_in_the_pods_own_environment() -> None:
    here = ollama({"model": "phi3:mini", "server": {"env": [{"name": "X", "value": "/models/y"}]}})
    assert here.argv[:2] == ("/bin/sh", "-uc")
    assert "ollama serve &" in here.argv[2]
    assert here.environment == {
        "CUDA_VISIBLE_DEVICES": "-1",
        "HOME": "/state/1/scratch",
        "LANG": "C",
        "NVIDIA_VISIBLE_DEVICES": "void",
        "OLLAMA_HOST": "127.0.0.1:40001",
        "OLLAMA_KEEP_ALIVE": "-1",
        "OLLAMA_LOAD_TIMEOUT": "5m",
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_MAX_QUEUE": "512",
        "OLLAMA_MODELS": "/home/me/.ollama/models",
        "OLLAMA_NOPRUNE": "1",
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NUM_PARALLEL": "1",
        "PATH": "/opt/bin:/usr/bin",
        "ROCR_VISIBLE_DEVICES": "-1",
        "STOKER_HANDS": "/state/1/hands",
        "X": "/home/me/.ollama/models/y",
    }


@pytest.mark.parametrize(
    ("gpus", "count", "slot", "seen"),
    [
        (4, 1, 0, "0"),
        (4, 1, 2, "2"),
        (4, 2, 1, "2,3"),
        (2, 2, 1, "0,1"),
        (1, 2, 3, "0"),
        (0, 2, 0, None),
    ],
)
def test_each_replica_has_its_share_of_the_gpus(
    gpus: int, count: int, slot: int, seen: str | None
) -> None:
    spec = {"model": "phi3:mini", "gpu": {"count": count}}
    machine, place = replace(MACHINE, gpus=gpus), replace(PLACE, slot=slot)
    assert ollama(spec, machine, place).environment.get("CUDA_VISIBLE_DEVICES") == seen
    devices = [each for each in sidecar(spec, machine, place).argv if "gpu-device" in each]
    assert devices == [f"--gpu-device={index}" for index in (seen or "").split(",") if index]


def test_beside_an_ollama_that_runs_there_is_the_sidecar_alone() -> None:
    plan = planned(machine=ATTACHED)
    assert [each.name for each in plan.containers] == ["sidecar"]
    assert "--ollama=http://10.0.0.1:11434" in plan.containers[0].argv
    assert plan.ollama_address == ("10.0.0.1", 11434)


def test_the_simulator_has_the_model_on_its_disk_unless_the_spec_says_otherwise() -> None:
    here = ollama({"model": "mine:7b"}, SIMULATED)
    assert here.environment["STOKER_SIMULATOR"] == "--model mine:7b=1GB"
    assert here.folder == "/state/bin"
    assert here.environment["PYTHONPATH"] == "/x"
    own = {"name": "STOKER_SIMULATOR", "value": "--gpu-memory 24GiB"}
    told = ollama({"model": "mine:7b", "server": {"env": [own]}}, SIMULATED)
    assert told.environment["STOKER_SIMULATOR"] == "--gpu-memory 24GiB"


@calm
@given(specs)
def test_of_every_valid_spec_nothing_of_the_pods_world_is_left(spec: Json) -> None:
    for container in planned(spec).containers:
        assert container.argv[0].startswith(("/opt/", "/bin/sh"))
        for argument in container.argv[1:]:
            assert not argument.startswith(("/models", "/run/stoker", "/etc/stoker"))
        for name in ("HOME", "OLLAMA_MODELS", "STOKER_HANDS"):
            assert container.environment.get(name, "/state").startswith(("/state", "/home/me"))


@calm
@given(specs, st.data())
def test_heat_neutral_changes_leave_the_revision_and_others_do_not(
    spec: Json, data: st.DataObject
) -> None:
    live = data.draw(st.sampled_from(sorted(LIVE_FIELDS)))
    other = data.draw(specs)
    kept = {key: value for key, value in spec.items() if key != live}
    changed = kept | ({live: other[live]} if live in other else {})
    before, after = asked(spec), asked(changed)
    assert (before.revision == after.revision) == (before.template == after.template)
    if live != "gpu":
        assert before.revision == after.revision


def test_heat_json_leads_to_the_address_of_this_machine() -> None:
    assert '"serviceUrl": "http://127.0.0.1:11434"' in asked().heat_at("http://127.0.0.1:11434")


@pytest.mark.parametrize(
    ("replicas", "surge", "unavailable", "seen"),
    [
        (4, 1, 0, (1, 0)),
        (4, "25%", "50%", (1, 2)),
        (3, "50%", "50%", (2, 1)),
        (1, "0%", "10%", (0, 1)),
        (0, 1, 0, (1, 0)),
    ],
)
def test_shares_are_rounded_as_kubernetes_rounds_them(
    replicas: int, surge: int | str, unavailable: int | str, seen: tuple[int, int]
) -> None:
    rollout = {"maxSurge": surge, "maxUnavailable": unavailable}
    found = asked({"model": "phi3:mini", "replicas": replicas, "rollout": rollout})
    assert (found.max_surge, found.max_unavailable) == seen


# What a spec says that this machine cannot honour, and the words for it.
EFFECTS: dict[str, tuple[Json, Machine, list[str]]] = {
    "nothing at all": ({}, MACHINE, []),
    "what is harmless": (
        {"disruption": {"minHot": 1}, "podTemplate": {"labels": {"a": "b"}}},
        MACHINE,
        [],
    ),
    "a claim": (
        {"storage": {"existingClaim": "big", "readOnly": True}},
        MACHINE,
        [
            f"spec.storage.existingClaim: there are no claims here; the models are in {MODELS}",
            "spec.storage.readOnly: Ollama may write to its models here",
        ],
    ),
    "a sidecar's image": (
        {"sidecar": {"image": "mine:1"}},
        MACHINE,
        [f"spec.sidecar.image: there are no images here; {INSTALLED}"],
    ),
    "an image and limits": (
        {"server": {"image": "ollama:1", "resources": {"limits": {"cpu": "2"}}}},
        MACHINE,
        [
            "spec.server.image: there are no images here; Ollama is /opt/bin/ollama",
            "spec.server.resources.limits: nothing holds Ollama to its limits here",
        ],
    ),
    "an Ollama that runs already": (
        {
            "replicas": 2,
            "options": {"parallel": 4, "contextLength": 512},
            "server": {"env": [{"name": "A", "value": "b"}]},
        },
        ATTACHED,
        [
            "spec.server.env: the Ollama that runs has its own environment",
            f"spec.options: the Ollama that runs has its own environment; {CARRIED}",
            "spec.replicas: there is one Ollama, so there is one replica",
        ],
    ),
    "options that requests carry": ({"options": {"contextLength": 512}}, ATTACHED, []),
    "a GPU that is not there": (
        {"gpu": {"count": 1}},
        MACHINE,
        ["spec.gpu: no NVIDIA GPU is in sight here; what there is, Ollama may use"],
    ),
    "more GPUs than there are": (
        {"gpu": {"count": 2}, "replicas": 2},
        replace(MACHINE, gpus=2),
        ["spec.gpu.count: 2 GPU(s) are here, which replicas have to share"],
    ),
    "a GPU that is not asked for": (
        {},
        replace(MACHINE, gpus=1),
        ["spec.gpu: not set, so Ollama leaves this machine's GPU alone, as in a cluster"],
    ),
    "nodes and load balancers": (
        {
            "podTemplate": {"nodeSelector": {"disk": "fast"}},
            "routing": {"service": {"type": "LoadBalancer"}},
        },
        MACHINE,
        [
            "spec.podTemplate.nodeSelector: there is one machine",
            "spec.routing.service.type: no LoadBalancer here; see --listen",
        ],
    ),
}


@pytest.mark.parametrize("name", EFFECTS)
def test_what_has_no_effect_here_is_said_with_its_field(name: str) -> None:
    spec, machine, sentences = EFFECTS[name]
    asked_for = resource({"model": "phi3:mini", **spec})
    assert list(without_effect(asked_for, machine)) == sentences
