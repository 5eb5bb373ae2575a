"""Heat gained, lost and regained: the real sidecar beside the real Ollama, and the simulator."""

import itertools
import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import httpx
import pytest

from bed import models
from bed.registry import Registry
from contract.ollama.api import FOREVER_SECONDS, Launch, Ollama
from support.sidecars import QUIET, Sidecar, sidecar
from support.waiting import wait_for

Beside = Callable[..., Sidecar]


@pytest.fixture
def beside(tmp_path: Path) -> Iterator[Beside]:
    """Starts sidecars beside servers, and ends them with the test."""
    with ExitStack() as stack:
        folders = (tmp_path / str(number) for number in itertools.count())

        def start(server: Ollama, *flags: str, model: str = "tiny") -> Sidecar:
            url = server.processes.base_url
            return stack.enter_context(sidecar(next(folders), url, "--model", model, *flags))

        yield start


def test_it_is_ready_only_when_the_model_is_loaded_and_has_answered(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    assert not keeper.is_ready() or "tiny" in server.ps()
    keeper.until_ready()
    assert "tiny" in server.ps()
    status = keeper.status()
    assert status["seesProcesses"], status["warnings"]
    assert status["coldStart"]["loadSeconds"] > 0
    assert status["latency"]["firstTokenP50Seconds"] > 0
    assert keeper.reasons()[-3:] == ["Loading", "WarmingUp", "Hot"]


@pytest.mark.p(31)
def test_a_crashed_runner_is_noticed_though_ollama_lists_it_and_is_replaced(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    crashed = server.settled_runner()
    server.processes.signal(crashed, signal.SIGKILL)
    keeper.until_said("Hot", "Crashed", "Hot")
    assert server.settled_runner() != crashed
    assert keeper.status()["counters"]["heatLosses"] == 1


@pytest.mark.p(32)
def test_a_stopped_runner_is_noticed_without_any_request_and_replaced(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    stopped, ollama = server.settled_runner(), server.processes.pid
    server.processes.signal(stopped, signal.SIGSTOP)
    keeper.until_said("Hot", "RunnerStopped", "Recovering", "Hot")
    assert server.settled_runner() != stopped
    assert server.processes.pid == ollama
    os.kill(ollama, 0)


@pytest.mark.p(30)
@pytest.mark.p(32)
def test_a_runner_that_stops_with_a_request_in_it_is_replaced_without_a_restart(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    stopped, ollama = server.settled_runner(), server.processes.pid
    with server.talking("tiny") as lines:
        next(lines)
        server.processes.signal(stopped, signal.SIGSTOP)
        keeper.until_said("Hot", "RunnerStopped", "Recovering", "Hot")
        assert "error" in list(lines)[-1]
    assert server.settled_runner() != stopped
    assert server.processes.pid == ollama


@pytest.mark.p(3)
@pytest.mark.p(41)
def test_a_client_that_unloads_the_model_is_told_of_and_the_model_loaded_again(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    server.unload("tiny")
    keeper.until_said("Hot", "Unloaded", "Hot")
    assert "tiny" in server.ps()


@pytest.mark.p(5)
def test_another_context_is_put_right(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, *QUIET, "--context-length", "1024")
    keeper.until_ready()
    assert server.ps()["tiny"].context_length == 1024
    server.say("tiny", options={"num_ctx": 512})
    keeper.until_said("Hot", "Reloaded", "Hot")
    assert server.ps()["tiny"].context_length == 1024


@pytest.mark.p(10)
@pytest.mark.p(44)
def test_an_eviction_says_who_took_the_place(launch: Launch, beside: Beside) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    server.say("other")
    keeper.until_said("Hot", "Evicted", "Hot")
    assert "make room for" in keeper.explanation()


@pytest.mark.p(3)
@pytest.mark.p(9)
def test_a_keep_alive_that_a_client_shortened_is_renewed_before_the_model_leaves(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    runner = server.settled_runner()
    server.say("tiny", keep_alive="20s")
    wait_for(
        "the renewed keep-alive",
        lambda: server.ps()["tiny"].remaining_seconds > FOREVER_SECONDS,
    )
    assert keeper.is_ready()
    assert server.settled_runner() == runner


@pytest.mark.p(6)
@pytest.mark.p(8)
def test_nothing_is_asked_of_a_model_that_stays_for_ever(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    expiry = server.settled_expiry("tiny")
    beats = len(keeper.timeline.read_text().splitlines()) + 10
    wait_for("ten heartbeats", lambda: len(keeper.timeline.read_text().splitlines()) > beats)
    assert server.expiry("tiny") == expiry


@pytest.mark.p(34)
def test_after_a_restart_of_ollama_the_model_is_loaded_again(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    server.processes.stop()
    keeper.until("ServerDown")
    assert not keeper.is_ready()
    server.processes.start()
    keeper.until_ready()
    assert "tiny" in server.ps()


def test_a_sidecar_that_starts_beside_a_hot_model_does_not_load_it_again(
    server: Ollama, beside: Beside
) -> None:
    first = beside(server, *QUIET)
    first.until_ready()
    first.stop()
    runner = server.settled_runner()
    second = beside(server, *QUIET)
    second.until_ready()
    assert server.settled_runner() == runner
    assert "Loading" not in second.reasons()[-2:]


def test_a_sidecar_that_is_killed_leaves_ollama_alone(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    runner = server.settled_runner()
    keeper.stop()
    assert server.say("tiny")["done"]
    assert server.settled_runner() == runner


@pytest.mark.p(16)
def test_an_embedding_model_is_kept_hot(server: Ollama, beside: Beside) -> None:
    beside(server, *QUIET, model="embedding").until_ready()
    assert "embedding" in server.ps()


def test_a_model_that_is_not_there_is_pulled(
    server: Ollama, beside: Beside, registry: Registry
) -> None:
    name = registry.put("pulled", models.tiny())
    keeper = beside(server, *QUIET, "--insecure-registry", model=name)
    keeper.until_ready()
    assert keeper.status()["coldStart"]["pullSeconds"] > 0
    assert "Pulling" in keeper.reasons()


@pytest.mark.p(35)
def test_a_model_that_the_registry_does_not_have_is_for_a_person(
    server: Ollama, beside: Beside, registry: Registry
) -> None:
    keeper = beside(
        server, *QUIET, "--insecure-registry", model=f"{registry.host}/library/nothing:latest"
    )
    status = keeper.until("ModelNotFound")
    assert status["state"] == "Blocked"
    assert "Check `model`" in status["message"]


@pytest.mark.p(38)
def test_a_model_that_is_not_the_pinned_one_is_for_a_person(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, "--digest", "sha256:" + "0" * 64, "--pull-policy", "Never")
    status = keeper.until("DigestMismatch")
    assert "sha256:" + "0" * 64 in status["message"]


def test_traffic_that_saturates_the_model_never_shuts_the_gate(
    server: Ollama, beside: Beside
) -> None:
    keeper = beside(server, "--heartbeat-canary-idle-after-seconds", "1")
    keeper.until_ready()
    ended = threading.Event()
    answered: list[Any] = []

    def ask() -> None:
        with httpx.Client(base_url=server.processes.base_url, timeout=60) as client:
            body = {"model": "tiny", "prompt": "hi " * 200, "stream": False}
            while not ended.is_set():
                options = {"num_predict": 200}
                answered.append(client.post("/api/generate", json=body | {"options": options}))

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    wait_for("forty answers", lambda: len(answered) >= 40, seconds=120)
    ended.set()
    for asker in askers:
        asker.join()
    assert all(each.status_code == 200 for each in answered)
    assert keeper.is_ready()
    assert keeper.status()["counters"]["heatLosses"] == 0


def test_told_to_end_it_waits_for_the_answer_under_way(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    # The same words each time. A model of random weights repeats itself, and Ollama cuts it off for
    # that: so the end is not always "done", but it is always the same.
    options = {"num_predict": 2000, "temperature": 0}
    with server.talking("tiny", options=options) as lines:
        whole = [line["response"] for line in lines]
    with server.talking("tiny", options=options) as lines:
        words = [next(lines)["response"]]
        keeper.process.terminate()
        wait_for("the shut gate", lambda: keeper.process.poll() is not None or is_shut(keeper))
        words += [line["response"] for line in lines]
        assert keeper.process.poll() is None
    assert words == whole
    assert keeper.process.wait(timeout=30) == 0


def is_shut(keeper: Sidecar) -> bool:
    try:
        return not keeper.is_ready()
    except httpx.HTTPError:
        return False


def test_where_processes_are_out_of_sight_a_canary_notices_a_crash(
    server: Ollama, beside: Beside, request: pytest.FixtureRequest
) -> None:
    if "simulator" in request.node.name:
        pytest.skip("the simulator loads so small a model in 1 ms: nobody could tell")
    keeper = beside(server, "--no-processes", "--heartbeat-canary-idle-after-seconds", "1")
    keeper.until_ready()
    assert not keeper.status()["seesProcesses"]
    server.processes.signal(server.settled_runner(), signal.SIGKILL)
    wait_for(
        "the loss of heat",
        lambda: keeper.status()["counters"]["heatLosses"] == 1,
        seconds=30,
    )
    keeper.until_ready()


def test_what_it_saw_can_be_explained_later(server: Ollama, beside: Beside) -> None:
    keeper = beside(server, *QUIET)
    keeper.until_ready()
    server.processes.signal(server.settled_runner(), signal.SIGKILL)
    keeper.until_said("Hot", "Crashed", "Hot")
    explanation = keeper.explanation()
    assert "HEAT LOST" in explanation
    assert "Cold/Crashed" in explanation
    assert explanation.splitlines()[-1].count("Hot/Hot") == 1
