"""How long a model stays: `keep_alive` in requests and in the environment."""

from typing import Any

import pytest

from contract.ollama.api import FOREVER_SECONDS, Launch, Ollama, eventually

DEFAULT_SECONDS = 300
# Time passes between an answer and the look at `/api/ps`.
SLACK_SECONDS = 15


def remaining(server: Ollama, model: str = "tiny") -> float:
    return server.ps()[model].remaining_seconds


def about(seconds: float) -> object:
    return pytest.approx(seconds, abs=SLACK_SECONDS)


@pytest.mark.parametrize(
    ("keep_alive", "seconds"), [(100, 100), (100.5, 100.5), ("10m", 600), ("24h", 86400)]
)
def test_a_length_of_time_sets_the_expiry(
    server: Ollama, keep_alive: float | str, seconds: float
) -> None:
    server.load("tiny", keep_alive=keep_alive)
    assert remaining(server) == about(seconds)


@pytest.mark.parametrize("keep_alive", [-1, -0.5, "-1m", "-1s"])
def test_a_negative_length_means_for_ever(server: Ollama, keep_alive: float | str) -> None:
    server.load("tiny", keep_alive=keep_alive)
    assert remaining(server) > FOREVER_SECONDS


def test_the_model_leaves_when_its_time_is_over(server: Ollama) -> None:
    server.load("tiny", keep_alive=1.5)
    assert remaining(server) < 2
    eventually(lambda: not server.processes.runners(), "the runner's end")
    eventually(lambda: not server.ps(), "an empty list")


@pytest.mark.parametrize("keep_alive", [0, "0", "0s"])
def test_zero_with_a_prompt_unloads_after_the_answer(
    server: Ollama, keep_alive: float | str
) -> None:
    assert server.say("tiny", keep_alive=keep_alive)["done_reason"] == "length"
    eventually(lambda: not server.ps(), "an empty list")


@pytest.mark.p(1)
@pytest.mark.parametrize(
    ("keep_alive", "complaint"),
    [
        ("-1", 'time: missing unit in duration "-1"'),
        ("300", 'time: missing unit in duration "300"'),
        ("1d", 'time: unknown unit "d" in duration "1d"'),
        ("", 'time: invalid duration ""'),
        (True, "Unsupported type: 'bool'"),
    ],
)
def test_a_text_without_a_unit_is_refused(server: Ollama, keep_alive: Any, complaint: str) -> None:
    answer = server.post("/api/generate", model="tiny", keep_alive=keep_alive)
    assert (answer.status_code, answer.json()) == (400, {"error": complaint})
    assert not server.ps()


@pytest.mark.parametrize("fields", [{}, {"keep_alive": None}], ids=["absent", "null"])
def test_a_request_without_keep_alive_starts_the_same_time_again(
    server: Ollama, fields: dict[str, None]
) -> None:
    server.load("tiny", keep_alive=1000)
    before = server.settled_expiry("tiny")
    server.load("tiny", **fields)
    eventually(lambda: server.expiry("tiny") > before, "a later expiry")
    assert remaining(server) == about(1000)


@pytest.mark.parametrize("fields", [{}, {"keep_alive": None}], ids=["absent", "null"])
def test_a_load_without_keep_alive_takes_the_default(
    server: Ollama, fields: dict[str, None]
) -> None:
    server.load("tiny", **fields)
    assert remaining(server) == about(DEFAULT_SECONDS)


@pytest.mark.p(3)
def test_the_last_request_that_carries_keep_alive_wins(server: Ollama) -> None:
    server.load("tiny", keep_alive=-1)
    server.say("tiny", keep_alive=1000)
    server.say("tiny")
    eventually(lambda: remaining(server) == about(1000), "the time of the last one that carried it")


@pytest.mark.p(4)
def test_the_openai_api_ignores_keep_alive_and_starts_the_same_time_again(server: Ollama) -> None:
    server.load("tiny", keep_alive=1000)
    before = server.settled_expiry("tiny")
    message = {"role": "user", "content": "hi"}
    answer = server.post(
        "/v1/chat/completions", model="tiny", messages=[message], max_tokens=2, keep_alive=-1
    )
    assert answer.status_code == 200
    eventually(lambda: server.expiry("tiny") > before, "a later expiry")
    assert remaining(server) == about(1000)


@pytest.mark.p(9)
def test_a_reload_forgets_the_keep_alive_of_earlier_requests(server: Ollama) -> None:
    server.load("tiny", keep_alive=-1)
    server.load("tiny", options={"num_ctx": 512})
    assert remaining(server) == about(DEFAULT_SECONDS)


@pytest.mark.p(9)
def test_a_reload_takes_the_keep_alive_of_the_environment(launch: Launch) -> None:
    server = launch(OLLAMA_KEEP_ALIVE="-1")
    server.load("tiny", keep_alive=1000)
    server.load("tiny", options={"num_ctx": 512})
    assert remaining(server) > FOREVER_SECONDS


@pytest.mark.parametrize(("value", "seconds"), [("100", 100), ("10m", 600), ("1h30m", 5400)])
def test_the_environment_gives_the_default(launch: Launch, value: str, seconds: float) -> None:
    server = launch(OLLAMA_KEEP_ALIVE=value)
    server.load("tiny")
    assert remaining(server) == about(seconds)


@pytest.mark.parametrize("value", ["-1", "-1m"])
def test_a_negative_environment_value_means_for_ever(launch: Launch, value: str) -> None:
    server = launch(OLLAMA_KEEP_ALIVE=value)
    server.load("tiny")
    assert remaining(server) > FOREVER_SECONDS


@pytest.mark.p(2)
@pytest.mark.parametrize("value", ["1d", "forever", "9999999h"])
def test_a_bad_environment_value_silently_means_five_minutes(launch: Launch, value: str) -> None:
    server = launch(OLLAMA_KEEP_ALIVE=value)
    server.load("tiny")
    assert remaining(server) == about(DEFAULT_SECONDS)


def test_a_request_overrules_the_environment(launch: Launch) -> None:
    server = launch(OLLAMA_KEEP_ALIVE="-1")
    server.load("tiny", keep_alive=1000)
    assert remaining(server) == about(1000)
