"""What operator and sidecar read of each other keeps to the contract, or is refused."""

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stoker_api import wire
from stoker_api.codec import MalformedError, encode
from stoker_sidecar import config
from stoker_sidecar.config import HeatFile
from support.statuses import HOT, STARTING
from unit.hostile.junk import (
    NASTY,
    NO_DOCUMENTS,
    bodies,
    calm,
    is_plain,
    outcome,
    places_in,
    replaced,
    values,
)

HEAT = json.dumps(encode(config.defaults(uses_gpu=True)))


def spoilt(*documents: wire.Document) -> st.SearchStrategy[Any]:
    """Good documents with anything in one place, or in two."""
    good = [encode(document) for document in documents]

    def once(document: Any) -> st.SearchStrategy[Any]:
        where = st.sampled_from(list(places_in(document)))
        return st.builds(replaced, st.just(document), where, values)

    whole = st.sampled_from(good)
    return whole.flatmap(once) | whole.flatmap(once).flatmap(once)


heats = bodies(spoilt(config.defaults(uses_gpu=True), config.defaults(uses_gpu=False)))
statuses = bodies(spoilt(HOT, STARTING))


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a document that was read."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, tuple):
        for each in value:
            yield from texts_in(each)
    elif dataclasses.is_dataclass(value):
        yield from texts_in(tuple(vars(value).values()))


def numbers_in(text: str) -> list[float]:
    """Every number in a JSON document, as a reader without any other kind of number takes it."""
    found: list[float] = []

    def refuse(word: str) -> float:
        raise AssertionError(f"{word} is no JSON")

    json.loads(text, parse_constant=refuse, parse_int=lambda each: found.append(float(each)))
    return found


READERS: dict[str, Callable[[bytes], wire.Document]] = {
    "heat.json": wire.HeatConfig.from_json,
    "status": wire.Status.from_json,
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_what_is_no_document_is_refused_in_a_sentence(
    read: Callable[[bytes], wire.Document],
) -> None:
    for name, body in NO_DOCUMENTS.items():
        inside = b'{"version": 1, "state": ' + body + b"}"
        for each in (body, b'{"version": ' + body + b"}", inside):
            with pytest.raises(MalformedError) as caught:
                read(each)
            assert is_plain(str(caught.value)), name


@calm
@given(statuses)
def test_what_a_sidecar_says_is_a_status_that_can_be_written_down_or_is_refused(
    body: bytes,
) -> None:
    status, refusal = outcome(wire.Status.from_json, body)
    assert is_plain(refusal)
    if status is None:
        return
    for text in texts_in(status):
        text.encode()
    status.to_json().encode()


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("heat") / "heat.json"


@calm
@given(body=heats)
@example(body=HEAT.replace('"keepAliveSeconds": -1', f'"keepAliveSeconds": 1{"0" * 400}').encode())
def test_heat_json_is_taken_up_or_what_is_wrong_is_said_and_nothing_changes(
    file: Path, body: bytes
) -> None:
    file.write_text(HEAT)
    now = iter(range(0, 100, 2))
    heat = HeatFile(file, clock=lambda: float(next(now)))
    before = heat.config
    file.write_bytes(body + b" ")
    heat.look()
    if heat.error:
        assert is_plain(heat.error), heat.error
        assert heat.config == before
    else:
        assert config.complaint(heat.config) is None
        numbers_in(heat.config.to_json())


@pytest.mark.parametrize("word", NASTY)
def test_the_words_of_heat_json_stay_words(word: str) -> None:
    """Prompts and addresses go into requests as they are, and into sentences only plainly."""
    spoilt = json.loads(HEAT)
    spoilt["routing"]["serviceUrl"] = word
    found, refusal = outcome(wire.HeatConfig.from_json, json.dumps(spoilt).encode())
    wrong = config.complaint(found) if found else refusal
    assert wrong
    assert is_plain(wrong)
