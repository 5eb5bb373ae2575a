"""What can be seen, and go wrong, while a load takes its time."""

import signal
from concurrent.futures import ThreadPoolExecutor

import pytest

from bed import models
from contract.ollama.api import Launch, Ollama, eventually

pytestmark = pytest.mark.slow


@pytest.fixture
def server(launch: Launch) -> Ollama:
    """An Ollama with a model whose load takes more than a second."""
    return launch({"big": models.big()})


@pytest.mark.p(14)
def test_a_model_that_is_being_loaded_is_not_listed(server: Ollama) -> None:
    with ThreadPoolExecutor() as pool:
        load = pool.submit(server.load, "big")
        # Held in the middle of its load, so that the look cannot come too late.
        runner = stopped_runner(server)
        assert not server.ps()
        assert not load.done()
        server.processes.signal(runner, signal.SIGCONT)
        load.result()
    assert list(server.ps()) == ["big"]


@pytest.mark.p(11)
def test_a_client_that_hangs_up_during_the_load_aborts_it(server: Ollama) -> None:
    with server.hanging_up("/api/generate", model="big"):
        eventually(server.processes.runners, "a runner")
        runner = server.runner()
    eventually(lambda: not server.processes.runners(), "the runner's end")
    assert not server.ps()
    server.load("big")
    assert server.runner() != runner


@pytest.mark.p(11)
def test_clients_share_a_load(server: Ollama) -> None:
    with ThreadPoolExecutor() as pool:
        loads = [pool.submit(server.load, "big") for _ in range(2)]
        eventually(server.processes.runners, "a runner")
        runner = server.runner()
        assert [load.result()["done_reason"] for load in loads] == ["load", "load"]
    assert server.runner() == runner


@pytest.mark.p(31)
def test_a_runner_that_crashes_during_the_load_is_an_error(server: Ollama) -> None:
    with ThreadPoolExecutor() as pool:
        load = pool.submit(server.post, "/api/generate", model="big")
        eventually(server.processes.runners, "a runner")
        server.processes.signal(server.runner(), signal.SIGKILL)
        answer = load.result()
    assert answer.status_code == 500
    assert "error" in answer.json()
    assert not server.ps()


@pytest.mark.p(12)
def test_a_load_without_progress_is_given_up(launch: Launch) -> None:
    server = launch({"big": models.big()}, OLLAMA_LOAD_TIMEOUT="2s")
    with ThreadPoolExecutor() as pool:
        load = pool.submit(server.post, "/api/generate", model="big")
        stopped_runner(server)
        answer = load.result()
    assert answer.status_code == 500
    assert "timed out waiting for llama runner to start" in answer.json()["error"]
    eventually(lambda: not server.processes.runners(), "the runner's end")


def stopped_runner(server: Ollama) -> int:
    eventually(server.processes.runners, "a runner")
    runner = server.runner()
    server.processes.signal(runner, signal.SIGSTOP)
    return runner
