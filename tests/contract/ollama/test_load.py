"""Loading and unloading: what the answers say, and what `/api/ps` lists."""

from typing import Any

import pytest

from bed import models
from bed.gguf_files import CONTEXT_LENGTH
from contract.ollama.api import Launch, Ollama, eventually

LOADS: dict[str, dict[str, Any]] = {
    "/api/generate": {},
    "/api/chat": {"messages": []},
}


@pytest.mark.parametrize("path", LOADS)
def test_a_request_without_a_prompt_loads(server: Ollama, path: str) -> None:
    answer = server.post(path, model="tiny", **LOADS[path])
    assert (answer.status_code, answer.json()["done_reason"]) == (200, "load")
    assert list(server.ps()) == ["tiny"]


def test_a_loaded_model_is_listed_with_what_it_is_and_what_it_takes(server: Ollama) -> None:
    server.load("tiny")
    loaded = server.ps()["tiny"]
    assert loaded.digest == models.tiny().digest
    assert loaded.context_length == CONTEXT_LENGTH
    assert loaded.size > models.tiny().weights.size
    # A build for the CPU; with a GPU this is what lies in its memory.
    assert loaded.size_vram == 0


def test_a_loaded_model_has_one_process(server: Ollama) -> None:
    assert not server.processes.runners()
    server.load("tiny")
    server.load("other")
    assert len(server.processes.runners()) == 2


@pytest.mark.p(15)
def test_a_load_and_a_request_for_what_is_loaded_answer_alike(server: Ollama) -> None:
    cold, warm = server.load("tiny"), server.load("tiny")
    for answer in (cold, warm):
        del answer["created_at"]
    expected = {"model": "tiny", "response": "", "done": True, "done_reason": "load"}
    assert cold == warm == expected


@pytest.mark.p(15)
def test_only_a_reply_tells_how_long_the_load_took(server: Ollama) -> None:
    cold = server.say("tiny")["load_duration"]
    warm = server.say("tiny")["load_duration"]
    # Not 0 on a loaded model: "was cold" is a threshold.
    assert 0 < warm < cold / 3


@pytest.mark.parametrize("path", LOADS)
@pytest.mark.p(15)
def test_zero_without_a_prompt_unloads_now(server: Ollama, path: str) -> None:
    server.load("tiny", keep_alive=-1)
    answer = server.post(path, model="tiny", keep_alive=0, **LOADS[path])
    assert (answer.status_code, answer.json()["done_reason"]) == (200, "unload")
    eventually(lambda: not server.ps(), "an empty list")
    eventually(lambda: not server.processes.runners(), "the runner's end")


def test_unloading_what_is_not_loaded_is_no_error(server: Ollama) -> None:
    assert server.unload("tiny")["done_reason"] == "unload"


@pytest.mark.p(3)
def test_an_unload_answers_at_once_and_lets_the_running_answer_finish(server: Ollama) -> None:
    server.load("tiny", keep_alive=-1)
    with server.talking("tiny", words=20) as lines:
        next(lines)
        assert server.unload("tiny")["done_reason"] == "unload"
        *_, last = lines
    assert last["done_reason"] == "length"
    eventually(lambda: not server.ps(), "an empty list")


def test_the_context_is_cut_to_what_the_model_was_trained_for(server: Ollama) -> None:
    server.load("tiny", options={"num_ctx": 1_000_000})
    assert server.ps()["tiny"].context_length == CONTEXT_LENGTH


def test_the_context_is_what_was_asked_for_below_that(server: Ollama) -> None:
    server.load("tiny", options={"num_ctx": 512})
    assert server.ps()["tiny"].context_length == 512


def test_the_environment_gives_the_context(launch: Launch) -> None:
    server = launch(OLLAMA_CONTEXT_LENGTH="512")
    server.load("tiny")
    assert server.ps()["tiny"].context_length == 512


def test_the_listed_context_is_that_of_one_slot(launch: Launch) -> None:
    server = launch(OLLAMA_NUM_PARALLEL="2")
    server.load("tiny", options={"num_ctx": 512})
    assert server.ps()["tiny"].context_length == 512


@pytest.mark.p(16)
def test_an_embedding_model_refuses_to_generate_or_chat(server: Ollama) -> None:
    said = {"/api/generate": "generate", "/api/chat": "chat"}
    for path, verb in said.items():
        answer = server.post(path, model="embedding", **LOADS[path])
        complaint = {"error": f'"embedding" does not support {verb}'}
        assert (answer.status_code, answer.json()) == (400, complaint)
    assert not server.ps()


@pytest.mark.p(16)
@pytest.mark.parametrize("fields", [{}, {"input": ""}, {"input": []}], ids=str)
def test_an_embedding_without_input_loads(server: Ollama, fields: dict[str, object]) -> None:
    answer = server.post("/api/embed", model="embedding", **fields)
    assert (answer.status_code, answer.json()["embeddings"]) == (200, [])
    assert list(server.ps()) == ["embedding"]


@pytest.mark.p(16)
def test_an_embedding_model_answers_vectors(server: Ollama) -> None:
    answer = server.post("/api/embed", model="embedding", input=["a b", "c"]).json()
    assert [len(vector) for vector in answer["embeddings"]] == [64, 64]
    assert answer["load_duration"] > 0


@pytest.mark.p(16)
def test_an_embedding_model_is_unloaded_by_an_empty_embedding(server: Ollama) -> None:
    server.post("/api/embed", model="embedding", keep_alive=-1)
    assert server.post("/api/embed", model="embedding", keep_alive=0).status_code == 200
    eventually(lambda: not server.ps(), "an empty list")
