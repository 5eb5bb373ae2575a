"""The client of one model, on the real Ollama and on the simulated one."""

import asyncio
import signal
from collections.abc import Awaitable, Callable, Mapping
from contextlib import closing
from dataclasses import replace

import pytest

from bed import models
from bed import ollama as real
from bed.models import LAYER_TYPE, Blob, Model
from contract.ollama.api import FOREVER_SECONDS, Launch, Ollama, eventually
from contract.sidecar.asking import NO_OPTIONS, ask, question
from contract.simulator.serving import simulating
from stoker_api.wire import Arguments
from stoker_sidecar import ollama
from stoker_sidecar.exchange import ExchangeError, LateError, UnreachableError
from stoker_sidecar.heat.observation import Deed, Fault, Loaded, Outcome
from stoker_sidecar.ollama import runner_options

SECONDS = 10.0


def loaded(server: Ollama) -> tuple[Loaded, ...]:
    return ask(server.processes.base_url, lambda client: client.loaded(SECONDS))


def load(
    server: Ollama,
    keep_alive: int = -1,
    model: str = "tiny",
    options: Mapping[str, int] = NO_OPTIONS,
) -> Outcome:
    return ask(server.processes.base_url, lambda client: client.load(keep_alive), model, options)


def say(server: Ollama, model: str = "tiny", options: Mapping[str, int] = NO_OPTIONS) -> Outcome:
    return ask(server.processes.base_url, lambda client: client.say(question()), model, options)


# --- looking ------------------------------------------------------------------------------------


def test_the_version_is_read(server: Ollama) -> None:
    assert ask(server.processes.base_url, lambda client: client.version(SECONDS)) == "0.17.4"


@pytest.mark.parametrize("name", ["tiny", "tiny:latest", "registry.ollama.ai/library/tiny"])
def test_a_model_is_found_in_the_store_with_its_digest_and_weights(
    server: Ollama, name: str
) -> None:
    stored = ask(server.processes.base_url, lambda client: client.stored(SECONDS), name)
    assert stored is not None
    assert stored.digest == f"sha256:{models.tiny().digest}"
    assert stored.weights == models.tiny().weights.digest.replace(":", "-")
    assert stored.capabilities == ("completion",)
    assert stored.trained_context == 2048


def test_a_model_that_is_not_in_the_store_is_none(server: Ollama) -> None:
    assert ask(server.processes.base_url, lambda client: client.stored(SECONDS), "nobody") is None


def test_a_loaded_model_is_listed_with_what_it_takes(server: Ollama) -> None:
    assert loaded(server) == ()
    assert load(server, options={"num_ctx": 1024}).ok
    (model,) = loaded(server)
    assert (model.name, model.digest) == ("tiny:latest", f"sha256:{models.tiny().digest}")
    assert model.context_length == 1024
    assert model.size_bytes > 0
    assert model.vram_bytes == 0


# --- loading, and asking for the same -----------------------------------------------------------


@pytest.mark.p(1)
def test_a_load_says_how_long_the_model_is_to_stay(server: Ollama) -> None:
    assert load(server, 300).ok
    (model,) = loaded(server)
    assert model.expires_in_seconds == pytest.approx(300, abs=20)
    assert load(server, -1).ok
    (model,) = loaded(server)
    assert model.expires_in_seconds is not None
    assert model.expires_in_seconds > FOREVER_SECONDS


@pytest.mark.p(5)
@pytest.mark.p(6)
def test_every_request_carries_the_options_of_the_load(server: Ollama) -> None:
    arguments = Arguments("tiny", context_length=1024, batch=64, threads=1)
    options = runner_options(arguments)
    assert options == {"num_ctx": 1024, "num_batch": 64, "num_thread": 1}
    assert load(server, options=options).ok
    runner = server.runner()
    assert say(server, options=options).ok
    assert load(server, 300, options=options).ok
    assert server.runner() == runner


@pytest.mark.p(7)
def test_an_answer_leaves_the_time_to_stay_as_it_is(server: Ollama) -> None:
    load(server, 300)
    assert say(server).ok
    (model,) = loaded(server)
    assert model.expires_in_seconds == pytest.approx(300, abs=20)


def test_an_unload_lets_the_model_go(server: Ollama) -> None:
    load(server)
    outcome = ask(server.processes.base_url, lambda client: client.unload(SECONDS))
    assert (outcome.deed, outcome.ok) == (Deed.UNLOAD, True)
    eventually(lambda: not server.processes.runners(), "the runner's end")


@pytest.mark.p(11)
def test_a_load_that_is_given_up_is_aborted(launch: Launch) -> None:
    server = launch({"big": models.big()})

    async def give_up(client: ollama.Ollama) -> None:
        loading = asyncio.create_task(client.load(-1))
        await asyncio.to_thread(eventually, server.processes.runners, "a runner")
        loading.cancel()
        with pytest.raises(asyncio.CancelledError):
            await loading

    ask(server.processes.base_url, give_up, "big")
    eventually(lambda: not server.processes.runners(), "the runner's end")
    assert loaded(server) == ()


# --- answers ------------------------------------------------------------------------------------


@pytest.mark.p(17)
def test_an_answer_tells_when_its_first_token_came_and_how_fast_the_rest(server: Ollama) -> None:
    outcome = ask(server.processes.base_url, lambda client: client.say(question(tokens=8)))
    assert (outcome.deed, outcome.ok) == (Deed.CANARY, True)
    assert outcome.first_token_seconds is not None
    assert 0 < outcome.first_token_seconds <= outcome.seconds
    assert outcome.tokens_per_second is not None
    assert outcome.tokens_per_second > 1


@pytest.mark.p(15)
def test_an_answer_tells_whether_the_model_had_to_be_loaded(server: Ollama) -> None:
    cold, hot = say(server), say(server)
    assert cold.load_seconds is not None
    assert hot.load_seconds is not None
    assert cold.load_seconds > 4 * hot.load_seconds


def thinking_model() -> Model:
    """A model whose every word is a thought: each prompt ends with the sign that one begins."""
    template = (
        "{{ range .Messages }}{{ .Content }}"
        "{{ if .Thinking }}<think>{{ .Thinking }}</think>{{ end }}{{ end }}<think>"
    )
    tiny = models.tiny()
    blob = Blob.of_bytes(LAYER_TYPE + "template", template.encode())
    return Model(tiny.config, (*tiny.layers, blob))


@pytest.mark.p(18)
def test_a_thought_is_a_first_token() -> None:
    with real.serving({"thinking": thinking_model()}) as server:
        stored = ask(server.base_url, lambda client: client.stored(SECONDS), "thinking")
        assert stored is not None
        assert "thinking" in stored.capabilities
        with closing(Ollama(server).http) as http:
            options = {"num_predict": 8}
            body = {"model": "thinking", "prompt": "hi", "stream": False, "options": options}
            plain = http.post("/api/generate", json=body).json()
        assert plain["thinking"]
        assert not plain["response"]
        said = ask(server.base_url, lambda client: client.hear(question(8)), "thinking")
        assert said.first_token_seconds is not None
        assert said.last_token_seconds is not None
        assert said.first_token_seconds < said.last_token_seconds


# --- models that embed --------------------------------------------------------------------------


@pytest.mark.p(16)
def test_a_model_that_embeds_is_loaded_asked_and_unloaded_by_embedding(server: Ollama) -> None:
    async def work(client: ollama.Ollama) -> list[Outcome]:
        return [
            await client.load(-1, embeds=True),
            await client.embed(question()),
            await client.unload(SECONDS, embeds=True),
        ]

    outcomes = ask(server.processes.base_url, work, "embedding")
    assert all(outcome.ok for outcome in outcomes), outcomes
    assert outcomes[1].first_token_seconds is not None
    assert outcomes[1].load_seconds is not None
    eventually(lambda: not server.processes.runners(), "the runner's end")


@pytest.mark.p(16)
def test_a_model_that_embeds_refuses_to_be_loaded_like_the_others(server: Ollama) -> None:
    outcome = load(server, model="embedding")
    assert outcome.fault is Fault.BAD_REQUEST
    assert "does not support generate" in str(outcome.error)


# --- when things go wrong -----------------------------------------------------------------------


def test_an_unknown_model_is_not_found(server: Ollama) -> None:
    for outcome in (load(server, model="nobody"), say(server, "nobody")):
        assert (outcome.fault, outcome.error) == (Fault.NOT_FOUND, "model 'nobody' not found")


@pytest.mark.p(31)
def test_a_crash_within_an_answer_is_told_in_ollamas_words(server: Ollama) -> None:
    load(server)

    async def crash(client: ollama.Ollama) -> Outcome:
        asking = asyncio.create_task(client.say(question(tokens=2000)))
        # A moment into the answer: the runner is the same, so its end is this answer's.
        await asyncio.sleep(0.3)
        server.processes.signal(server.runner(), signal.SIGKILL)
        return await asking

    outcome = ask(server.processes.base_url, crash)
    assert outcome.fault is Fault.OTHER
    assert outcome.error


@pytest.mark.p(32)
def test_a_hang_is_given_up_in_time_while_the_rest_answers(server: Ollama) -> None:
    load(server)
    runner = server.runner()
    server.processes.signal(runner, signal.SIGSTOP)
    try:
        late = ask(server.processes.base_url, lambda client: client.say(question(seconds=0.5)))
        assert late.fault is Fault.TIMED_OUT
        assert late.seconds == pytest.approx(0.5, abs=0.4)
        assert len(loaded(server)) == 1
    finally:
        server.processes.signal(runner, signal.SIGCONT)


@pytest.mark.p(13)
def test_a_stopped_server_is_late(server: Ollama) -> None:
    server.processes.signal(server.processes.pid, signal.SIGSTOP)
    try:
        with pytest.raises(LateError, match=r"has not answered within 0\.3 s"):
            ask(server.processes.base_url, lambda client: client.loaded(0.3))
    finally:
        server.processes.signal(server.processes.pid, signal.SIGCONT)


@pytest.mark.p(34)
def test_a_client_outlives_its_server(server: Ollama) -> None:
    async def outlive(client: ollama.Ollama) -> None:
        assert await client.loaded(SECONDS) == ()
        await asyncio.to_thread(server.processes.stop)
        with pytest.raises(UnreachableError):
            await client.loaded(SECONDS)
        assert (await client.load(-1)).fault is Fault.OTHER
        await asyncio.to_thread(server.processes.start)
        assert await client.loaded(SECONDS) == ()

    ask(server.processes.base_url, outlive)


@pytest.mark.p(43)
def test_the_proxies_of_the_environment_are_not_asked(
    server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Port 9 is nobody's on loopback.
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    assert loaded(server) == ()


# --- what takes a fault of the simulator --------------------------------------------------------


def with_fault(
    fault: str, work: Callable[[ollama.Ollama], Awaitable[Outcome]], **parameters: object
) -> Outcome:
    with simulating("--model", "tinyllama", "--speed", "100") as simulation:
        simulation.inject(fault, **parameters)
        return ask(simulation.processes.base_url, work, "tinyllama")


@pytest.mark.p(33)
def test_a_full_queue_is_busy() -> None:
    outcome = with_fault("queue-full", lambda client: client.load(-1))
    assert outcome.fault is Fault.BUSY
    assert "maximum pending requests exceeded" in str(outcome.error)


@pytest.mark.p(31)
def test_a_crash_within_a_load_is_worth_another_try() -> None:
    outcome = with_fault("crash-loop", lambda client: client.load(-1))
    assert outcome.fault is Fault.OTHER
    assert "llama runner process has terminated" in str(outcome.error)


@pytest.mark.p(12)
def test_a_load_that_ollama_gives_up_is_worth_another_try() -> None:
    outcome = with_fault("load-stall", lambda client: client.load(-1))
    assert outcome.fault is Fault.OTHER
    assert "timed out waiting for llama runner to start" in str(outcome.error)


def test_an_answer_by_another_model_is_none() -> None:
    """Report R4: the service said that it used Ollama, and somebody else answered."""
    outcome = with_fault(
        "wrong-provider", lambda client: client.say(question()), model="gpt-remote"
    )
    assert outcome.fault is Fault.OTHER
    assert "asked for `tinyllama`, and `gpt-remote` answers" in str(outcome.error)


@pytest.mark.p(32)
def test_an_answer_without_a_word_is_given_up_in_time() -> None:
    outcome = with_fault(
        "generation-hang", lambda client: client.say(replace(question(), seconds=0.5))
    )
    assert outcome.fault is Fault.TIMED_OUT


@pytest.mark.p(13)
def test_a_list_that_is_late_holds_up_no_other_question() -> None:
    with simulating("--model", "tinyllama") as simulation:
        simulation.inject("ps-slow", seconds=1000)

        async def both(client: ollama.Ollama) -> str:
            listing = asyncio.create_task(client.loaded(1.0))
            version = await client.version(SECONDS)
            assert not listing.done()
            with pytest.raises(ExchangeError):
                await listing
            return version

        assert ask(simulation.processes.base_url, both) == "0.17.4"
