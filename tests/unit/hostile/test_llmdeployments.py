"""Whatever an LLMDeployment holds, it is refused in a sentence, or its objects hold just that."""

import json
from typing import Any

import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from stoker_api.errors import InvalidManifestError
from stoker_api.reading import read
from stoker_api.wire import HeatConfig
from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.entry import SCRIPT
from stoker_operator.documents import to_yaml
from support.manifests import Json, manifest
from support.specs import specs
from unit.hostile.junk import calm, is_plain, places_in, replaced, texts, values

SETTINGS = Settings("stoker-sidecar:test")


def problems(document: Any) -> list[str]:
    try:
        read(document)
    except InvalidManifestError as error:
        return [str(problem) for problem in error.problems]
    return []


@st.composite
def spoilt(draw: st.DrawFn) -> Any:
    """A good LLMDeployment with anything in one place."""
    good = manifest(draw(specs))
    return replaced(good, draw(st.sampled_from(list(places_in(good)))), draw(values))


@calm
@given(spoilt())
@example(manifest({"options": {"contextLength": 10**400}}))
@example(manifest({"gpu": {"memoryBudget": "1e999999999"}}))
@example(manifest({"gpu": {"memoryBudget": "1e-999999999"}}))
@example(manifest({"storage": {"emptyDir": {"sizeLimit": "9e999999"}}}))
@example(manifest({"\x1b[2J": 1}))
@example(manifest({"a" * 100_000: 1}))
@example(manifest({"server": {"resources": {"limits": {"\x9b": "1"}}}}))
def test_what_is_wrong_is_said_in_plain_sentences(document: Any) -> None:
    for problem in problems(document):
        assert is_plain(problem), problem


@calm
@given(values)
def test_what_is_no_llmdeployment_at_all_is_refused(document: Any) -> None:
    assert problems(document)


@st.composite
def worded(draw: st.DrawFn) -> Json:
    """A good spec with anything in the places for words of one's own."""
    spec: Json = draw(specs)
    spec["warmup"] = {"prompts": draw(st.lists(texts, min_size=1, max_size=3))}
    spec["server"] = {"env": [{"name": "WORDS", "value": draw(texts)}]}
    spec["podTemplate"] = {"annotations": {"example.com/words": draw(texts)}}
    return spec


@calm
@given(worded())
@example({"podTemplate": {"annotations": {"example.com/words": "0o17"}}})
@example({"podTemplate": {"annotations": {"example.com/words": "1e3"}}})
@example({"server": {"env": [{"name": "WORDS", "value": "\ud800"}]}})
def test_words_are_words_in_every_object(spec: Json) -> None:
    if problems(manifest(spec)):
        return
    objects = desired(read(manifest(spec)), SETTINGS)
    text = to_yaml(objects)
    text.encode()
    assert list(yaml.load_all(text, yaml.CSafeLoader)) == objects == json.loads(json.dumps(objects))
    by_kind = {each["kind"]: each for each in objects}
    assert_words_are_where_they_belong(spec, by_kind)


def assert_words_are_where_they_belong(spec: Json, objects: dict[str, Manifest]) -> None:
    heat = HeatConfig.from_json(objects["ConfigMap"]["data"]["heat.json"])
    pod = objects["Deployment"]["spec"]["template"]
    (ollama,) = pod["spec"]["containers"]
    (sidecar,) = pod["spec"]["initContainers"]
    assert ollama["command"] == ["/bin/sh", "-uc", SCRIPT]
    assert "args" not in ollama
    if "warmup" in spec:
        assert list(heat.warmup.prompts) == spec["warmup"]["prompts"]
    for flag in sidecar["args"][1:]:
        assert flag.startswith("--")
        assert flag.isprintable()
        assert "$" not in flag
