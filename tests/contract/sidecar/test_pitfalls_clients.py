"""What clients, settings and the machine do to a model that is hot: each pitfall, on both kinds.

These run beside the real Ollama as well, like those of `test_heat.py`.
"""

import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from contract.ollama.api import FOREVER_SECONDS, Launch, Ollama
from contract.sidecar.pod import sample
from support.sidecars import QUIET, Sidecar, sidecar
from support.waiting import wait_for

FROZEN_SECONDS = 3
ENOUGH_WORDS = 20
"""Ollama does not tell when it has chosen who leaves: it has, before so many words are said."""


def stays_for_ever(server: Ollama) -> bool:
    """Whether the model is loaded, without an end."""
    model = server.ps().get("tiny")
    return model is not None and model.remaining_seconds > FOREVER_SECONDS


def heat_losses(keeper: Sidecar) -> int:
    return int(keeper.status()["counters"]["heatLosses"])


@pytest.mark.p(2)
def test_a_keep_alive_that_ollama_did_not_understand_is_put_right(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(OLLAMA_KEEP_ALIVE="1d")  # which silently means five minutes
    with sidecar(tmp_path, server.processes.base_url, "--model", "tiny", *QUIET) as keeper:
        keeper.until_ready()
        server.say("tiny", options={"num_ctx": 512})
        wait_for("the loss of heat", lambda: heat_losses(keeper))
        keeper.until_ready()
        wait_for("a keep-alive without end", lambda: stays_for_ever(server))


def ask_as_openai_does(server: Ollama) -> None:
    """Asks on the API that cannot carry options."""
    messages = [{"role": "user", "content": "hi"}]
    answer = server.post("/v1/chat/completions", model="tiny", messages=messages, max_tokens=2)
    assert answer.status_code == 200


@pytest.mark.p(4)
def test_the_openai_api_does_no_harm_where_the_context_is_the_servers_own(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(OLLAMA_CONTEXT_LENGTH="1024")
    options = ("--model", "tiny", "--context-length", "1024", *QUIET)
    with sidecar(tmp_path, server.processes.base_url, *options) as keeper:
        keeper.until_ready()
        loaded = server.runner()
        ask_as_openai_does(server)
        assert server.runner() == loaded
        assert stays_for_ever(server)
        assert keeper.is_ready()


@pytest.mark.p(4)
def test_what_the_openai_api_had_loaded_anew_is_put_right(server: Ollama, tmp_path: Path) -> None:
    options = ("--model", "tiny", "--context-length", "1024", *QUIET)
    with sidecar(tmp_path, server.processes.base_url, *options) as keeper:
        keeper.until_ready()
        ask_as_openai_does(server)
        wait_for("the loss of heat", lambda: heat_losses(keeper))
        keeper.until_ready()
        assert server.ps()["tiny"].context_length == 1024


@pytest.mark.slow
@pytest.mark.p(7)
def test_a_leaving_model_that_a_client_revived_is_unloaded_and_no_restart_needed(
    launch: Launch, tmp_path: Path
) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    options = ("--model", "tiny", *QUIET)
    with server.talking("other", words=1000) as lines:
        next(lines)
        with sidecar(tmp_path, server.processes.base_url, *options) as keeper:
            keeper.until("Loading")  # so the other model is to leave, once it has answered
            for _ in range(ENOUGH_WORDS):
                assert not next(lines)["done"]
                server.load("other", keep_alive=-1)
            assert list(lines)[-1]["done"]
            keeper.until_said("Loading", "LoadStalled", "Hot")
            assert list(server.ps()) == ["tiny"]
            assert sample(keeper, "stoker_recoveries_total", step="unload", result="done") == 1
            assert sample(keeper, "stoker_recoveries_total", step="restart", result="done") == 0


@pytest.mark.p(19)
@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud", "glm-4.6:cloud"])
def test_a_model_in_somebodys_cloud_is_refused(name: str) -> None:
    ended = subprocess.run(
        [sys.executable, "-m", "stoker_sidecar", "run", "--model", name],
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert ended.returncode != 0
    assert "runs elsewhere: there is nothing to keep warm" in ended.stderr


@pytest.mark.p(24)
def test_a_machine_that_was_suspended_goes_on_where_it_was(server: Ollama, tmp_path: Path) -> None:
    with sidecar(tmp_path, server.processes.base_url, "--model", "tiny", *QUIET) as keeper:
        keeper.until_ready()
        everybody = [keeper.process.pid, server.processes.pid, *server.processes.runners()]
        for pid in everybody:
            server.processes.signal(pid, signal.SIGSTOP)
        woken = time.monotonic() + FROZEN_SECONDS
        wait_for("the end of the night", lambda: time.monotonic() > woken)
        for pid in reversed(everybody):
            server.processes.signal(pid, signal.SIGCONT)
        seen = len(keeper.timeline.read_text().splitlines()) + 5
        wait_for("five looks", lambda: len(keeper.timeline.read_text().splitlines()) > seen)
        assert keeper.is_ready()
        assert heat_losses(keeper) == 0
        assert keeper.status()["counters"]["recoveries"] == 0


@pytest.mark.p(40)
def test_a_model_under_a_second_name_is_served_by_what_is_loaded(
    server: Ollama, tmp_path: Path
) -> None:
    # A copy is a pointer. What is made of files has to be in the store before.
    assert server.post("/api/copy", source="tiny", destination="mine").status_code == 200
    server.load("tiny", keep_alive=-1)
    loaded = server.runner()
    options = ("--model", "mine", "--pull-policy", "Never", *QUIET)
    with sidecar(tmp_path, server.processes.base_url, *options) as keeper:
        keeper.until_ready()
        assert server.runner() == loaded
        assert list(server.ps()) == ["tiny"]


@pytest.mark.p(42)
def test_what_ollama_does_not_measure_the_sidecar_does(server: Ollama, tmp_path: Path) -> None:
    with sidecar(tmp_path, server.processes.base_url, "--model", "tiny", *QUIET) as keeper:
        keeper.until_ready()
        assert sample(keeper, "stoker_hot") == 1
        assert sample(keeper, "stoker_heat_state", state="Hot", reason="Hot") == 1
        assert (sample(keeper, "stoker_first_token_seconds_count") or 0) >= 2
        assert (sample(keeper, "stoker_tokens_per_second") or 0) > 0
        ram = sample(keeper, "stoker_model_bytes", where="ram")
        assert ram == server.ps()["tiny"].size
        with server.talking("tiny") as lines:
            next(lines)
            wait_for(
                "a busy connection",
                lambda: sample(keeper, "stoker_connections", state="busy") == 1,
            )


@pytest.mark.p(43)
def test_a_proxy_in_the_environment_is_not_asked(server: Ollama, tmp_path: Path) -> None:
    nowhere = "http://127.0.0.1:9"
    proxies = {"HTTP_PROXY": nowhere, "http_proxy": nowhere, "ALL_PROXY": nowhere}
    options = ("--model", "tiny", *QUIET)
    with sidecar(tmp_path, server.processes.base_url, *options, **proxies) as keeper:
        keeper.until_ready()
