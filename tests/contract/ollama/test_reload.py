"""What makes Ollama end a runner and start another for a model that was loaded and well."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from bed import models
from bed.gguf_files import CONTEXT_LENGTH
from contract.ollama.api import Launch, Ollama

DEFAULT_CONTEXT = 4096
# A request that need not wait would be answered long before these.
ENOUGH_WORDS = 20


def reloads(server: Ollama, first: dict[str, Any], second: dict[str, Any]) -> bool:
    """Whether the model gets another runner between requests with these options."""
    server.load("tiny", options=first)
    runner = server.runner()
    server.load("tiny", options=second)
    return server.runner() != runner


@pytest.mark.p(5)
@pytest.mark.parametrize(
    "option",
    [
        {"num_ctx": 512},
        {"num_batch": 64},
        {"num_gpu": 0},
        {"main_gpu": 1},
        {"use_mmap": True},
        {"num_thread": 1},
    ],
    ids=str,
)
def test_another_runner_option_reloads(server: Ollama, option: dict[str, Any]) -> None:
    assert reloads(server, {}, option)


@pytest.mark.p(6)
@pytest.mark.parametrize(
    "option",
    [
        {"temperature": 0.1},
        {"seed": 7},
        {"num_predict": 3},
        {"top_k": 3},
        {"stop": ["x"]},
        {"num_keep": 9},
        {"no_such_option": 1},
    ],
    ids=str,
)
def test_another_sampling_option_does_not_reload(server: Ollama, option: dict[str, Any]) -> None:
    assert not reloads(server, {}, option)


def test_the_same_options_do_not_reload(server: Ollama) -> None:
    assert not reloads(server, {"num_ctx": 512, "num_batch": 64}, {"num_batch": 64, "num_ctx": 512})


@pytest.mark.p(5)
def test_leaving_out_a_context_that_was_asked_for_reloads(server: Ollama) -> None:
    assert reloads(server, {"num_ctx": 512}, {})


@pytest.mark.p(5)
def test_leaving_out_the_context_that_is_the_servers_own_does_not_reload(launch: Launch) -> None:
    server = launch(OLLAMA_CONTEXT_LENGTH="512")
    assert not reloads(server, {"num_ctx": 512}, {})


@pytest.mark.p(5)
def test_asking_for_the_default_context_by_its_number_does_not_reload(server: Ollama) -> None:
    assert not reloads(server, {}, {"num_ctx": DEFAULT_CONTEXT})


@pytest.mark.p(5)
def test_contexts_that_are_cut_to_the_same_length_reload_all_the_same(server: Ollama) -> None:
    assert reloads(server, {"num_ctx": CONTEXT_LENGTH}, {"num_ctx": CONTEXT_LENGTH + 1})
    assert server.ps()["tiny"].context_length == CONTEXT_LENGTH


@pytest.mark.parametrize("shift", [True, False])
def test_the_context_shift_flag_does_not_reload(server: Ollama, *, shift: bool) -> None:
    server.load("tiny")
    runner = server.runner()
    server.say("tiny", shift=shift)
    assert server.runner() == runner


def test_an_automatic_number_of_gpu_layers_matches_any(server: Ollama) -> None:
    assert not reloads(server, {"num_gpu": 0}, {"num_gpu": -1})


@pytest.mark.p(4)
def test_the_openai_api_reloads_what_was_loaded_with_another_context(server: Ollama) -> None:
    server.load("tiny", options={"num_ctx": 512})
    runner = server.runner()
    message = {"role": "user", "content": "hi"}
    options = {"num_ctx": 512}
    answer = server.post(
        "/v1/chat/completions", model="tiny", messages=[message], max_tokens=2, options=options
    )
    assert answer.status_code == 200
    assert server.runner() != runner
    assert server.ps()["tiny"].context_length == CONTEXT_LENGTH


def test_a_model_keeps_its_slot_under_another_name(server: Ollama) -> None:
    server.load("tiny")
    runner = server.runner()
    assert server.post("/api/copy", source="tiny", destination="alias").status_code == 200
    server.load("alias")
    assert server.runner() == runner
    assert list(server.ps()) == ["tiny"]


@pytest.mark.p(5)
def test_a_variant_of_the_same_weights_takes_their_place(launch: Launch) -> None:
    variant = models.tiny().with_parameters(num_ctx=512)
    server = launch({"variant": variant})
    server.load("tiny")
    server.load("variant")
    assert {name: line.digest for name, line in server.ps().items()} == {"variant": variant.digest}


def test_a_reload_waits_for_the_answer_that_is_being_given(server: Ollama) -> None:
    server.load("tiny")
    runner = server.runner()
    with ThreadPoolExecutor() as pool:
        with server.talking("tiny") as lines:
            next(lines)
            waiting = pool.submit(server.load, "tiny", options={"num_ctx": 512})
            for _ in range(ENOUGH_WORDS):
                assert not next(lines)["done"]
            assert not waiting.done()
            assert server.runner() == runner
        waiting.result()
    assert server.runner() != runner
