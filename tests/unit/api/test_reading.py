"""The sentences that people get for what is wrong."""

import pytest

from stoker_api.errors import InvalidManifestError
from stoker_api.reading import read
from support.manifests import Json, manifest

SENTENCES: list[tuple[Json, str]] = [
    ({"keepalive": -1}, "spec.keepalive: is no field of this object; did you mean `keepAlive`?"),
    (
        {"podTemplate": {"tolerations": [{"zzz": 1}]}},
        (
            "spec.podTemplate.tolerations[0].zzz: is no field of this object; known here: effect,"
            " key, operator, tolerationSeconds, value"
        ),
    ),
    ({"replicas": "3"}, 'spec.replicas: "3" must be a whole number'),
    ({"replicas": -1}, "spec.replicas: -1 must be at least 0"),
    ({"suspend": "yes"}, 'spec.suspend: "yes" must be true or false'),
    ({"gpu": []}, "spec.gpu: must be an object with fields of its own"),
    (
        {"gpu": {"onOverBudget": "block"}},
        "spec.gpu.onOverBudget: \"block\" must be 'Warn' or 'Block'",
    ),
    ({"warmup": {"prompts": []}}, "spec.warmup.prompts: must have at least 1 entries, not 0"),
    ({"warmup": {"prompts": "hi"}}, 'spec.warmup.prompts: "hi" must be a list'),
    ({"model": 3}, "spec.model: 3 must be a string"),
    ({"model": None}, "spec.model: is required"),
    ({"gate": {"shutOn": ["Budget"] * 2}}, "spec.gate.shutOn: has 'Budget' twice"),
    (
        {"podTemplate": {"labels": {"build": 7}}},
        "spec.podTemplate.labels.build: 7 must be a string",
    ),
]


@pytest.mark.parametrize(("spec", "sentence"), SENTENCES, ids=lambda value: str(value)[:40])
def test_a_problem_is_a_sentence_with_its_place(spec: Json, sentence: str) -> None:
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest(spec))
    assert str(caught.value) == sentence


def test_all_problems_are_said_at_once() -> None:
    spec = {"keepAlive": "1d", "replicas": "3", "gpu": {"cnt": 1}, "model": "x:cloud"}
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest(spec))
    fields = [problem.field for problem in caught.value.problems]
    assert fields == ["spec.model", "spec.replicas", "spec.keepAlive", "spec.gpu.cnt"]


def test_all_broken_rules_between_fields_are_said_at_once() -> None:
    spec = {
        "options": {"kvCacheType": "q8_0"},
        "rollout": {"maxSurge": 0},
        "gate": {"shutOn": ["Latency"]},
    }
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest(spec))
    assert len(caught.value.problems) == 3


@pytest.mark.parametrize("document", [None, [], "text", 3, {}, {"kind": "LLMDeployment"}])
def test_what_is_no_object_at_all_is_refused_too(document: object) -> None:
    with pytest.raises(InvalidManifestError):
        read(document)


def test_what_is_shown_of_a_value_cannot_drive_a_terminal() -> None:
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest({"keepAlive": "\x1b[2Jgone" + "x" * 1000}))
    assert "\x1b" not in str(caught.value)
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest({"server": {"image": "\x1b[2J " + "x" * 300}}))
    (problem,) = caught.value.problems
    assert "\x1b" not in str(problem)
    assert len(str(problem)) < 250
