"""Whatever Ollama answers, or somebody in its place, is a value or one short plain sentence."""

import dataclasses
from collections.abc import Callable, Iterator
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stoker_api.codec import MalformedError
from stoker_sidecar import answers
from stoker_sidecar.pulling import Tally
from unit.hostile.junk import (
    NO_DOCUMENTS,
    bodies,
    calm,
    is_plain,
    numbers,
    objects,
    odd,
    outcome,
    texts,
    values,
)

MOST = 2**63

names = st.one_of(texts, st.sampled_from(["tiny", "tiny:latest", "registry:5000/a/b:c"]))
digests = st.one_of(texts, st.just("a" * 64), st.just("sha256:" + "a" * 64))
times = st.one_of(
    texts,
    st.sampled_from(
        [
            "2318-03-04T05:06:07.123456789Z",
            "0001-01-01T00:00:00Z",
            "9999-12-31T23:59:59-23:59",
            "2026-01-01T00:00:00",
        ]
    ),
)
model = objects(
    name=names,
    digest=digests,
    size=numbers,
    size_vram=numbers,
    context_length=numbers,
    expires_at=times,
)
lists = objects(models=st.lists(odd(model), max_size=3))
shown = objects(
    modelfile=st.one_of(texts, st.just(f"FROM /models/blobs/sha256-{'a' * 64}\n")),
    details=objects(parameter_size=texts, quantization_level=texts),
    model_info=objects(**{"general.architecture": texts, "llama.context_length": numbers}),
    capabilities=st.lists(odd(texts), max_size=3),
    requires=texts,
)
errors = st.one_of(texts, objects(message=texts))
part = objects(
    model=names,
    response=texts,
    thinking=texts,
    done=st.booleans(),
    error=errors,
    status=numbers,
    load_duration=numbers,
    eval_count=numbers,
    eval_duration=numbers,
)
pull_line = objects(status=texts, digest=digests, completed=numbers, total=numbers, error=errors)

READERS: dict[str, tuple[Callable[[bytes], Any], st.SearchStrategy[Any]]] = {
    "version": (answers.version, objects(version=texts)),
    "loaded": (lambda body: answers.loaded(body, 1.8e9), lists),
    "installed": (lambda body: answers.installed(body, "tiny"), lists),
    "stored": (lambda body: answers.stored(body, "sha256:0", 1), shown),
    "vectors": (answers.vectors, objects(embeddings=st.lists(values, max_size=2))),
    "load_seconds": (answers.load_seconds, part),
    "part": (answers.part, part),
    "pull_line": (answers.pull_line, pull_line),
}


def leaves(value: Any) -> Iterator[Any]:
    """Every text and every number in a value."""
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        value = tuple(vars(value).values())
    if isinstance(value, tuple):
        for each in value:
            yield from leaves(each)
    else:
        yield value


@calm
@given(st.data())
def test_an_answer_is_read_or_refused_in_a_plain_sentence(data: st.DataObject) -> None:
    reader, document = data.draw(st.sampled_from(list(READERS.values())))
    body = data.draw(bodies(document))
    found, refusal = outcome(reader, body)
    assert is_plain(refusal)
    for leaf in leaves(found):
        if isinstance(leaf, str):
            assert is_plain(leaf), leaf
        elif leaf is not None:
            assert -MOST < leaf < MOST, leaf


@pytest.mark.parametrize("reader", [reader for reader, _ in READERS.values()], ids=READERS)
def test_what_is_no_document_is_refused_in_a_plain_sentence(
    reader: Callable[[bytes], Any],
) -> None:
    for name, body in NO_DOCUMENTS.items():
        with pytest.raises(MalformedError) as caught:
            reader(body)
        assert is_plain(str(caught.value)), name
        with suppress(MalformedError):  # there may be nothing in it that this reader reads
            reader(b'{"models": ' + body + b', "size": ' + body + b"}")


@pytest.mark.parametrize(
    "line", [b'{"response":"WORDS', b'"WORDS"', b'["WORDS"]', b"WORDS", b'{"done": WORDS}']
)
def test_what_a_model_says_is_in_no_refusal(line: bytes) -> None:
    with pytest.raises(MalformedError) as caught:
        answers.part(line)
    assert "WORDS" not in str(caught.value)


@calm
@given(bodies(objects(error=errors)))
@example(b'{"error": "\\u001f"}')
@example(b'{"error": "\\ud800"}')
def test_a_complaint_is_a_plain_sentence(body: bytes) -> None:
    found = answers.complaint(body)
    assert found
    assert is_plain(found)


@calm
@given(st.lists(bodies(pull_line), max_size=8))
def test_a_pull_never_has_more_than_there_is_and_never_goes_back(lines: list[bytes]) -> None:
    tally, done = Tally(), 0
    for line in lines:
        try:
            progress, _ = tally.take(answers.pull_line(line))
        except MalformedError:
            continue
        assert done <= progress.done_bytes <= (progress.total_bytes or 0)
        done = progress.done_bytes
