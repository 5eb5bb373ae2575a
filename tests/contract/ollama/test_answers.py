"""The shape of answers, and what a finished answer leaves behind."""

import json

import pytest

from contract.ollama.api import Json, Ollama, eventually

MESSAGES = [{"role": "user", "content": "hi"}]
OPTIONS = {"num_predict": 3, "temperature": 0}

COUNTS = {
    "total_duration",
    "load_duration",
    "prompt_eval_count",
    "prompt_eval_duration",
    "eval_count",
    "eval_duration",
}


def lines_of(server: Ollama, path: str, **body: object) -> list[Json]:
    answer = server.post(path, model="tiny", options=OPTIONS, **body)
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/x-ndjson"
    return [json.loads(line) for line in answer.text.splitlines()]


def test_a_generated_answer_streams_as_lines_of_json_by_default(server: Ollama) -> None:
    *words, last = lines_of(server, "/api/generate", prompt="hi")
    assert words
    assert all(word["model"] == "tiny" and not word["done"] for word in words)
    assert "".join(word["response"] for word in words)
    assert last["done"]
    assert last["done_reason"] == "length"
    assert last.keys() >= COUNTS
    assert last["eval_count"] == OPTIONS["num_predict"]


def test_a_chat_answer_streams_as_lines_of_json_by_default(server: Ollama) -> None:
    *words, last = lines_of(server, "/api/chat", messages=MESSAGES)
    assert words
    assert all(word["message"]["role"] == "assistant" and not word["done"] for word in words)
    assert last["done"]
    assert last.keys() >= COUNTS


def test_without_streaming_the_whole_answer_is_one_object(server: Ollama) -> None:
    answer = server.post(
        "/api/generate", model="tiny", prompt="hi", stream=False, options=OPTIONS
    ).json()
    streamed = lines_of(server, "/api/generate", prompt="hi")
    assert answer["response"] == "".join(line["response"] for line in streamed)
    assert answer.keys() >= COUNTS


def test_an_openai_answer_is_one_object_by_default(server: Ollama) -> None:
    answer = server.post("/v1/chat/completions", model="tiny", messages=MESSAGES, max_tokens=2)
    assert answer.status_code == 200
    assert answer.json()["choices"][0]["message"]["role"] == "assistant"
    assert answer.json()["usage"]["completion_tokens"] == 2


def test_a_streamed_openai_answer_ends_with_done(server: Ollama) -> None:
    answer = server.post(
        "/v1/chat/completions", model="tiny", messages=MESSAGES, max_tokens=2, stream=True
    )
    assert answer.headers["Content-Type"] == "text/event-stream"
    *events, done = answer.text.strip().split("\n\n")
    assert done == "data: [DONE]"
    first = json.loads(events[0].removeprefix("data: "))
    assert first["object"] == "chat.completion.chunk"


@pytest.mark.p(4)
def test_the_openai_api_loads_a_model_that_is_not_loaded(server: Ollama) -> None:
    server.post("/v1/chat/completions", model="tiny", messages=MESSAGES, max_tokens=2)
    assert list(server.ps()) == ["tiny"]


@pytest.mark.parametrize("keep_alive", [1000, -1])
def test_each_finished_answer_moves_the_expiry(server: Ollama, keep_alive: int) -> None:
    server.load("tiny", keep_alive=keep_alive)
    before = server.settled_expiry("tiny")
    server.say("tiny")
    eventually(lambda: server.expiry("tiny") > before, "a later expiry")


def test_nothing_else_moves_the_expiry(server: Ollama) -> None:
    server.load("tiny")
    before = server.settled_expiry("tiny")
    for path in ("/", "/api/version", "/api/tags"):
        server.http.get(path)
    server.post("/api/show", model="tiny")
    assert server.expiry("tiny") == before


def test_the_expiry_stands_still_while_an_answer_is_being_given(server: Ollama) -> None:
    server.load("tiny")
    before = server.settled_expiry("tiny")
    with server.talking("tiny") as lines:
        for _ in range(10):
            assert not next(lines)["done"]
        assert server.expiry("tiny") == before
    eventually(lambda: server.expiry("tiny") > before, "a later expiry")


def test_a_client_that_hangs_up_stops_its_answer(server: Ollama) -> None:
    server.load("tiny")
    with server.talking("tiny", words=-1) as lines:
        next(lines)
    # With one answer at a time, a second one is only given when the first has ended.
    assert server.say("tiny")["done"]
