"""What the simulator reads, in Go's words where it refuses: times, sizes, names, JSON, options."""

from typing import Any

import pytest

from stoker_simulator.errors import ApiError
from stoker_simulator.go_json import read_object
from stoker_simulator.go_time import FOREVER, MINUTE, SECOND, parse_duration, timestamp
from stoker_simulator.names import parse_name
from stoker_simulator.options import RunnerOptions, read_options
from stoker_simulator.settings import read_keep_alive, read_settings
from stoker_simulator.shelf import human_count
from stoker_simulator.sizes import parse_size


@pytest.mark.parametrize(
    ("text", "nanoseconds"),
    [
        ("0", 0),
        ("10m", 10 * MINUTE),
        ("1h30m", 90 * MINUTE),
        ("1.5s", 3 * SECOND // 2),
        ("-1m", -MINUTE),
        (".5s", SECOND // 2),
        ("250ms", SECOND // 4),
    ],
)
def test_a_duration(text: str, nanoseconds: int) -> None:
    assert parse_duration(text) == nanoseconds


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", 'time: invalid duration ""'),
        ("-1", 'time: missing unit in duration "-1"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("forever", 'time: invalid duration "forever"'),
        ("9999999h", 'time: invalid duration "9999999h"'),
    ],
)
def test_what_is_no_duration(text: str, complaint: str) -> None:
    with pytest.raises(ValueError, match="time:") as caught:
        parse_duration(text)
    assert str(caught.value) == complaint


def test_a_timestamp_has_no_more_digits_than_it_needs() -> None:
    assert timestamp(0) == "1970-01-01T00:00:00Z"
    assert timestamp(SECOND // 2) == "1970-01-01T00:00:00.5Z"
    assert timestamp(1) == "1970-01-01T00:00:00.000000001Z"


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [(300, 300 * SECOND), (0, 0), (-1, FOREVER), (-0.5, FOREVER), ("-1m", FOREVER), (None, None)],
)
def test_a_keep_alive(value: Any, nanoseconds: int | None) -> None:
    assert read_keep_alive(value) == nanoseconds


@pytest.mark.parametrize(
    ("value", "nanoseconds"),
    [("100", 100 * SECOND), ("-1", FOREVER), ("1d", 5 * MINUTE), ("9999999h", 5 * MINUTE)],
)
def test_the_environments_keep_alive_is_five_minutes_where_it_is_none(
    value: str, nanoseconds: int
) -> None:
    assert read_settings({"OLLAMA_KEEP_ALIVE": value}).keep_alive == nanoseconds


@pytest.mark.parametrize(
    ("text", "count"), [("24GiB", 24 * 2**30), ("4.9 GB", 4_900_000_000), ("1048576", 1048576)]
)
def test_a_size(text: str, count: int) -> None:
    assert parse_size(text) == count


@pytest.mark.parametrize("text", ["", "much", "4 XB", "-1GB", "4i"])
def test_what_is_no_size(text: str) -> None:
    with pytest.raises(ValueError, match="is no size; write `24GiB`"):
        parse_size(text)


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("tiny", "tiny:latest"),
        ("phi3:mini", "phi3:mini"),
        ("me/mine", "me/mine:latest"),
        ("127.0.0.1:5000/library/tiny", "127.0.0.1:5000/library/tiny:latest"),
        ("registry.ollama.ai/library/tiny:1b", "tiny:1b"),
    ],
)
def test_a_name(text: str, shortest: str) -> None:
    name = parse_name(text)
    assert name.is_valid
    assert name.shortest == shortest


@pytest.mark.parametrize("text", ["", "a b", "/tiny", "../../etc/passwd", "tiny:", ":x"])
def test_what_is_no_name(text: str) -> None:
    assert not parse_name(text).is_valid


def test_a_bad_body_is_refused_in_gos_words() -> None:
    for body, complaint in {
        b"": "missing request body",
        b"{nonsense": "invalid character 'n' looking for beginning of object key string",
        b'{"a" 1}': "invalid character '1' after object key",
        b'{"a":1 2}': "invalid character '2' after object key:value pair",
        b"nonsense": "invalid character 'o' in literal null (expecting 'u')",
        b"<html>": "invalid character '<' looking for beginning of value",
        b'{"model":': "unexpected EOF",
    }.items():
        with pytest.raises(ApiError) as caught:
            read_object(body, "GenerateRequest", {"model": "string"})
        assert (caught.value.status, caught.value.message) == (400, complaint)


def test_a_runner_serves_who_asks_for_no_certain_number_of_gpu_layers() -> None:
    mine = RunnerOptions(num_ctx=512, num_gpu=7)
    assert mine.serves(RunnerOptions(num_ctx=512))
    assert not RunnerOptions(num_ctx=512).serves(mine)
    assert not mine.serves(RunnerOptions(num_ctx=1024))


def test_later_options_win_and_null_and_unknown_ones_do_not_count() -> None:
    options = read_options(4096, {"num_ctx": 512, "seed": 1}, {"num_ctx": None, "seed": 2, "x": 1})
    assert (options.runner.num_ctx, options.seed) == (512, 2)


@pytest.mark.parametrize(
    ("count", "text"),
    [(3_820_000_000, "3.8B"), (7_000_000_000, "7B"), (115_392, "115K"), (137_500_000, "137.50M")],
)
def test_a_number_of_parameters(count: int, text: str) -> None:
    assert human_count(count) == text
