"""What happens when one model has to make room for another, and what waits meanwhile."""

from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from bed import models
from contract.ollama.api import Json, Launch, Ollama, eventually

# A request that need not wait would be answered long before these.
ENOUGH_WORDS = 20


@pytest.mark.p(10)
def test_even_a_model_that_stays_for_ever_leaves_for_another(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    server.load("tiny", keep_alive=-1)
    evicted = server.runner()
    server.load("other")
    assert list(server.ps()) == ["other"]
    assert server.runner() != evicted


def test_the_model_with_the_shortest_keep_alive_leaves_first(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="2")
    server.load("tiny", keep_alive=-1)
    server.load("other", keep_alive="24h")
    server.settled_expiry("other")
    server.post("/api/embed", model="embedding")
    assert sorted(server.ps()) == ["embedding", "tiny"]


def test_an_idle_model_leaves_before_a_busy_one(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="2")
    server.load("tiny", keep_alive=100)
    server.load("other", keep_alive=-1)
    server.settled_expiry("other")
    with server.talking("tiny") as lines:
        next(lines)
        server.post("/api/embed", model="embedding")
        assert sorted(server.ps()) == ["embedding", "tiny"]
        assert not next(lines)["done"]


@pytest.mark.p(44)
def test_three_models_stay_loaded_by_default(launch: Launch) -> None:
    server = launch({"unseen": models.unseen()})
    server.post("/api/embed", model="embedding")
    for model in ("tiny", "other", "unseen"):
        server.load(model)
    assert len(server.ps()) == 3


def test_a_busy_model_finishes_its_answer_before_it_leaves(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    server.load("tiny")
    with ThreadPoolExecutor() as pool:
        with server.talking("tiny") as lines:
            next(lines)
            waiting = pool.submit(server.load, "other")
            for _ in range(ENOUGH_WORDS):
                assert not next(lines)["done"]
            assert not waiting.done()
            assert list(server.ps()) == ["tiny"]
        assert waiting.result()["done_reason"] == "load"
    assert list(server.ps()) == ["other"]


@pytest.mark.p(33)
def test_loads_beyond_the_queue_are_refused_but_loaded_models_answer(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1", OLLAMA_MAX_QUEUE="1")
    server.load("tiny")
    with ThreadPoolExecutor() as pool, server.talking("tiny") as lines:
        next(lines)
        # One is being worked on, waiting for the busy model to leave; one fits into the queue.
        loads = [pool.submit(server.post, "/api/generate", model="other") for _ in range(3)]
        eventually(lambda: any(load.done() for load in loads), "a refusal")
        refused = next(load for load in loads if load.done()).result()
        assert refused.status_code == 503
        complaint = "server busy, please try again.  maximum pending requests exceeded"
        assert refused.json() == {"error": complaint}
        assert server.load("tiny")["done_reason"] == "load"


@pytest.mark.p(7)
def test_a_keep_alive_that_revives_the_leaving_model_blocks_every_load(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    server.load("tiny")
    with ThreadPoolExecutor() as pool:
        waiting = load_other_while_asking_for_tiny(server, pool, keep_alive=-1)
        # The answer is over and the model idle: nothing holds it any more but its keep-alive.
        server.say("tiny")
        server.say("tiny")
        assert not waiting.done()
        # Nobody waits for the end of that; but an unload makes way.
        server.unload("tiny")
        waiting.result()
    assert list(server.ps()) == ["other"]


@pytest.mark.p(7)
def test_requests_without_keep_alive_let_the_leaving_model_go(launch: Launch) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    server.load("tiny", keep_alive=-1)
    with ThreadPoolExecutor() as pool:
        load_other_while_asking_for_tiny(server, pool).result()
    assert list(server.ps()) == ["other"]


def load_other_while_asking_for_tiny(
    server: Ollama, pool: ThreadPoolExecutor, **fields: int
) -> Future[Json]:
    """A load that makes a busy model leave, while requests for that model go on."""
    with server.talking("tiny") as lines:
        next(lines)
        waiting = pool.submit(server.load, "other")
        # Ollama does not tell when it has chosen who leaves; one of these comes after that.
        for _ in range(ENOUGH_WORDS):
            assert not next(lines)["done"]
            server.load("tiny", **fields)
    return waiting
