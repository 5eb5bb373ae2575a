"""What clients see when a process behind the API dies or hangs."""

import signal

import httpx
import pytest

from contract.ollama.api import Ollama, eventually

# Long enough for an answer of two words on a busy machine, short enough to wait for in vain.
HANG_SECONDS = 1.5


def hangs(server: Ollama, method: str, path: str, **body: object) -> bool:
    """Whether no answer to this request comes."""
    try:
        server.http.request(method, path, json=body or None, timeout=HANG_SECONDS)
    except httpx.ReadTimeout:
        return True
    return False


@pytest.mark.p(31)
def test_a_crashed_runner_stays_listed_until_the_next_request(server: Ollama) -> None:
    server.load("tiny")
    server.settled_expiry("tiny")
    crashed = server.runner()
    listed = server.ps()
    server.processes.signal(crashed, signal.SIGKILL)
    eventually(lambda: not server.processes.runners(), "the runner's end")
    assert server.ps() == listed
    assert server.say("tiny")["done"]
    assert server.runner() != crashed


@pytest.mark.p(31)
def test_an_answer_whose_runner_crashes_ends_with_an_error_line(server: Ollama) -> None:
    with server.talking("tiny") as lines:
        next(lines)
        server.processes.signal(server.runner(), signal.SIGKILL)
        *_, last = lines
    assert "error" in last


@pytest.mark.p(32)
def test_a_stopped_runner_hangs_requests_while_the_rest_answers(server: Ollama) -> None:
    server.load("tiny")
    listed = server.ps()
    runner = server.runner()
    server.processes.signal(runner, signal.SIGSTOP)
    assert hangs(server, "POST", "/api/generate", model="tiny", prompt="hi")
    assert hangs(server, "POST", "/api/generate", model="tiny")
    assert server.ps().keys() == listed.keys()
    for path in ("/", "/api/version", "/api/tags"):
        assert server.http.get(path).status_code == 200


@pytest.mark.p(32)
@pytest.mark.slow
def test_a_stopped_runner_is_replaced_when_two_health_checks_have_failed(hasty: Ollama) -> None:
    hasty.load("tiny")
    stopped = hasty.runner()
    hasty.processes.signal(stopped, signal.SIGSTOP)
    answer = hasty.say("tiny")
    assert answer["load_duration"] / 1e9 == pytest.approx(20, abs=5)
    assert hasty.runner() != stopped


@pytest.mark.p(30)
def test_an_unload_waits_for_a_request_that_hangs_in_a_stopped_runner(server: Ollama) -> None:
    server.load("tiny", keep_alive=-1)
    stopped = server.runner()
    with server.talking("tiny") as lines:
        next(lines)
        server.processes.signal(stopped, signal.SIGSTOP)
        assert server.unload("tiny")["done_reason"] == "unload"
        # It is leaving: its expiry is over. But the request has it.
        assert server.ps()["tiny"].remaining_seconds < 0
        assert server.runner() == stopped
    eventually(lambda: not server.processes.runners(), "the runner's end")


@pytest.mark.p(32)
def test_an_unload_rids_of_a_stopped_runner(server: Ollama) -> None:
    server.load("tiny")
    stopped = server.runner()
    server.processes.signal(stopped, signal.SIGSTOP)
    assert server.unload("tiny")["done_reason"] == "unload"
    eventually(lambda: not server.processes.runners(), "the runner's end")
    assert server.say("tiny")["done"]


@pytest.mark.p(13)
def test_a_stopped_server_takes_requests_and_answers_none(server: Ollama) -> None:
    server.load("tiny")
    runner = server.runner()
    server.processes.signal(server.processes.pid, signal.SIGSTOP)
    assert hangs(server, "GET", "/api/version")
    assert hangs(server, "POST", "/api/generate", model="tiny")
    server.processes.signal(server.processes.pid, signal.SIGCONT)
    assert server.load("tiny")["done_reason"] == "load"
    assert server.runner() == runner


def test_a_shutdown_cuts_answers_off(server: Ollama) -> None:
    with server.talking("tiny") as lines:
        next(lines)
        server.processes.signal(server.processes.pid, signal.SIGTERM)
        with pytest.raises(httpx.RemoteProtocolError, match="incomplete"):
            list(lines)


@pytest.mark.p(34)
def test_a_restarted_server_has_its_models_on_disk_and_none_loaded(server: Ollama) -> None:
    server.load("tiny", keep_alive=-1)
    installed = server.installed()
    server.processes.stop()
    server.processes.start()
    assert not server.ps()
    assert server.installed() == installed


@pytest.mark.p(26)
def test_a_crashed_server_leaves_its_runner_behind(server: Ollama) -> None:
    server.load("tiny")
    orphan = server.runner()
    server.processes.signal(server.processes.pid, signal.SIGKILL)
    eventually(lambda: refuses(server), "a closed port")
    assert server.runner() == orphan


def refuses(server: Ollama) -> bool:
    try:
        server.http.get("/api/version")
    except httpx.TransportError:
        return True
    return False
