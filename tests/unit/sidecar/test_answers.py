"""Ollama's answers, read into values; and whatever else a server may send."""

import json
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_api.codec import MalformedError
from stoker_sidecar import answers
from stoker_sidecar.documents import clean
from stoker_sidecar.heat.observation import Loaded

NOW = 1_800_000_000.0
TINY = "a" * 64
OTHER = "b" * 64
WEIGHTS = "sha256-" + "c" * 64


def listed(name: str = "tiny:latest", digest: str = TINY, **more: Any) -> dict[str, Any]:
    """An entry of `/api/ps`."""
    return {
        "name": name,
        "model": name,
        "size": 900,
        "size_vram": 300,
        "digest": digest,
        "expires_at": "2318-03-03T12:40:22.123456789Z",
        "context_length": 4096,
        "details": {},
        **more,
    }


def ps(*models: dict[str, Any]) -> tuple[Loaded, ...]:
    return answers.loaded(json.dumps({"models": models}).encode(), NOW)


def test_a_loaded_model_is_read_with_its_digest_as_the_spec_writes_it() -> None:
    (model,) = ps(listed())
    assert (model.name, model.digest) == ("tiny:latest", f"sha256:{TINY}")
    assert (model.size_bytes, model.vram_bytes, model.context_length) == (900, 300, 4096)
    assert model.expires_at == "2318-03-03T12:40:22.123456789Z"


def test_older_versions_leave_out_what_is_zero() -> None:
    older = {key: listed()[key] for key in ("name", "size", "digest")}
    (model,) = ps(older)
    assert (model.vram_bytes, model.context_length, model.expires_at) == (0, None, "")
    assert model.expires_in_seconds is None


def test_no_models_may_be_said_with_null() -> None:
    assert answers.loaded(b'{"models": null}', NOW) == ()


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"{",
        b"[]",
        b"{}",
        b'{"models": {}}',
        b'{"models": [1]}',
        b'{"models": [{"name": 1, "size": 1, "digest": "x"}]}',
        b'{"models": [{"name": "x", "size": true, "digest": "x"}]}',
        b'{"models": [{"name": "x", "size": -1, "digest": "x"}]}',
        b'{"models": [{"name": "x", "size": 1e3, "digest": "x"}]}',
        b'{"models": [{"name": "x", "size": 99999999999999999999, "digest": "x"}]}',
        b'{"models": [{"name": "x", "size": ' + b"9" * 5000 + b', "digest": "x"}]}',
        b"\xff\xfe\xfd",
        b"[" * 100_000,
        b'{"models": [{"name": ' + b"[" * 400 + b"]" * 400 + b"}]}",
    ],
)
def test_what_is_no_list_of_models_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        answers.loaded(body, NOW)
    assert len(str(caught.value)) < 500


READERS: list[Callable[[bytes], Any]] = [
    answers.version,
    lambda body: answers.loaded(body, NOW),
    lambda body: answers.installed(body, "tiny"),
    lambda body: answers.stored(body, TINY, 1),
    answers.vectors,
    answers.part,
    answers.pull_line,
    answers.load_seconds,
]

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
)
KEYS = st.sampled_from(
    [
        *("models", "name", "digest", "size", "details", "model_info", "modelfile", "error"),
        *("capabilities", "status", "total", "completed", "embeddings", "load_duration"),
    ]
)
BODIES = st.binary() | (st.dictionaries(KEYS, JSON) | JSON).map(lambda v: json.dumps(v).encode())


@given(body=BODIES)
def test_any_answer_is_a_value_or_malformed(body: bytes) -> None:
    for reader in READERS:
        with suppress(MalformedError):
            reader(body)


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("phi3", "phi3:latest"),
        ("phi3:mini", "registry.ollama.ai/library/phi3:mini"),
        ("library/phi3", "phi3"),
        ("Phi3:Mini", "phi3:mini"),
        ("hf.co/org/repo:Q4_K_M", "hf.co/org/repo:q4_k_m"),
        ("localhost:5000/library/x", "localhost:5000/library/x:latest"),
    ],
)
def test_a_model_has_one_canonical_name(one: str, other: str) -> None:
    assert answers.canonical(one) == answers.canonical(other)


def test_a_loaded_model_is_found_by_any_of_its_names() -> None:
    models = ps(listed("other:latest", OTHER), listed())
    assert answers.find(models, "registry.ollama.ai/library/tiny", None) == models[1]
    assert answers.find(models, "absent", None) is None


def test_a_loaded_model_is_found_under_the_name_of_its_copy() -> None:
    models = ps(listed("copy:latest", TINY))
    assert answers.find(models, "tiny", f"sha256:{TINY}") == models[0]
    assert answers.find(models, "tiny", TINY) == models[0]


@pytest.mark.p(38)
def test_of_two_models_under_one_name_the_digest_tells_which() -> None:
    models = ps(listed(digest=OTHER), listed(digest=TINY))
    assert answers.find(models, "tiny", TINY) == models[1]
    assert answers.find(models, "tiny", "d" * 64) == models[0]


# --- the store ----------------------------------------------------------------------------------

SHOWN = {
    "modelfile": f"# Modelfile\n# FROM tiny:latest\n\nFROM /models/blobs/{WEIGHTS}\n"
    f"FROM /models/blobs/sha256-{'d' * 64}\nLICENSE x\n",
    "details": {"parameter_size": "1.2B", "quantization_level": "Q4_K_M"},
    "model_info": {"general.architecture": "llama", "llama.context_length": 131072},
    "capabilities": ["completion", "tools"],
    "requires": "0.30.0",
}


def shown(**more: Any) -> Any:
    return answers.stored(json.dumps(SHOWN | more).encode(), TINY, 5)


def test_a_stored_model_is_read_with_the_file_of_its_weights() -> None:
    model = shown()
    assert model.weights == WEIGHTS
    assert (model.parameters, model.quantisation) == ("1.2B", "Q4_K_M")
    assert (model.trained_context, model.requires) == (131072, "0.30.0")
    assert model.capabilities == ("completion", "tools")


def test_what_a_stored_model_does_not_tell_is_unknown() -> None:
    model = answers.stored(b"{}", TINY, 5)
    assert (model.weights, model.parameters, model.trained_context) == (None, None, None)
    assert model.capabilities == ()


@pytest.mark.p(16)
@pytest.mark.parametrize(
    ("capabilities", "embeds"),
    [
        ((), False),
        (("completion",), False),
        (("embedding",), True),
        (("completion", "embedding"), False),
        (("completion", "vision", "thinking"), False),
    ],
)
def test_a_model_embeds_if_it_can_do_nothing_else(
    capabilities: tuple[str, ...], *, embeds: bool
) -> None:
    assert answers.is_embedding(capabilities) is embeds


# --- times --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("moment", "seconds"),
    [
        ("2027-01-15T08:00:00Z", 0),
        ("2027-01-15T08:05:00.5Z", 300.5),
        ("2027-01-15T10:05:00.123456789+02:00", 300.123456),
        ("2027-01-15T07:00:00-01:30", 1800),
        ("2027-01-15T07:59:00Z", -60),
    ],
)
def test_an_expiry_is_so_many_seconds_away(moment: str, seconds: float) -> None:
    assert answers.seconds_until(moment, NOW) == pytest.approx(seconds, abs=1e-5)


def test_for_ever_is_292_years_away() -> None:
    (model,) = ps(listed())
    assert model.expires_in_seconds is not None
    assert 290 < model.expires_in_seconds / (365.25 * 86400) < 293


@pytest.mark.parametrize(
    "moment",
    [
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+05:00",
        "",
        "soon",
        "2027-01-15T08:00:00",
        "12027-01-15T08:00:00Z",
        "2027-13-15T08:00:00Z",
    ],
)
def test_an_expiry_that_says_nothing_is_unknown(moment: str) -> None:
    assert answers.seconds_until(moment, NOW) is None


# --- streamed answers ---------------------------------------------------------------------------


@pytest.mark.p(18)
@pytest.mark.parametrize(
    ("line", "says"),
    [
        ({"response": "hi"}, True),
        ({"response": "", "thinking": "hm"}, True),
        ({"response": ""}, False),
        ({"response": "", "done": True}, False),
    ],
)
def test_a_thought_is_a_word_too(line: dict[str, Any], *, says: bool) -> None:
    assert answers.part(json.dumps(line).encode()).says_something is says


@pytest.mark.parametrize(
    ("counts", "rate"),
    [
        ({"eval_count": 10, "eval_duration": 500_000_000}, 20.0),
        ({"eval_count": 1, "eval_duration": 500_000_000}, None),
        ({"eval_count": 10, "eval_duration": 0}, None),
        ({"eval_count": 10}, None),
        ({"eval_count": 10**12, "eval_duration": 1}, None),
        ({}, None),
    ],
)
def test_a_rate_needs_two_tokens_and_a_time(counts: dict[str, int], rate: float | None) -> None:
    assert answers.part(json.dumps(counts | {"done": True}).encode()).tokens_per_second == rate


@pytest.mark.p(31)
def test_an_error_within_an_answer_is_the_servers_unless_it_says_otherwise() -> None:
    assert answers.part(b'{"error": "it broke"}').status == 500
    told = answers.part(b'{"error": "too many", "status": 503}')
    assert (told.error, told.status) == ("too many", 503)


@pytest.mark.parametrize(
    ("body", "words"),
    [
        (b'{"error": "model \'x\' not found"}', "model 'x' not found"),
        (b'{"error": {"message": "no such model", "code": null}}', "no such model"),
        (b'{"error": 7}', "no reason given"),
        (b"404 page not found\n", "404 page not found"),
        (b"", "no reason given"),
        (b"<html>\x00\x1b[31mred</html>", "<html> [31mred</html>"),
    ],
)
def test_a_refusal_gives_its_reason(body: bytes, words: str) -> None:
    assert answers.complaint(body) == words


@given(text=st.text())
def test_words_from_outside_are_short_and_printable(text: str) -> None:
    assert clean(text).isprintable()
    assert len(clean(text * 50)) <= 300
