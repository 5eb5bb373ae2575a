"""Hung or held up: what looks alike from afar, made with the real Ollama on command."""

import json
import re
import socket
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from pathlib import Path

import httpx
import pytest

from contract.ollama.api import Launch, Ollama
from contract.ollama.launching import launching
from contract.sidecar.freezing import frozen
from support.sidecars import Sidecar, sidecar
from support.waiting import wait_for

PATIENCE_SECONDS = 400
"""Some thousand tokens, on a machine that may be busy."""

HELD_UP_SECONDS = 6.0
"""A dead-lock would be told after 2."""

ATTEMPTS = 8

CANARIES = (
    *("--heartbeat-canary-idle-after-seconds", "1"),
    *("--heartbeat-canary-timeout-seconds", "2"),
)

LONG_ANSWER = {
    "model": "tiny",
    "prompt": "hi",
    # Twenty alternatives with each token: more than the kernel keeps for somebody who reads later.
    "logprobs": True,
    "top_logprobs": 20,
    # So a model of random weights neither repeats itself, which Ollama cuts off, nor ends.
    "options": {"num_predict": 6000, "temperature": 0, "frequency_penalty": 2.0},
}


@pytest.fixture
def launch() -> Iterator[Launch]:
    """The real Ollama alone: what its threads and its connections do is what is looked at."""
    with launching("real", []) as start:
        yield start


@contextmanager
def beside(server: Ollama, folder: Path, *flags: str) -> Iterator[Sidecar]:
    """A sidecar whose model is hot."""
    with sidecar(folder, server.processes.base_url, "--model", "tiny", *flags) as keeper:
        keeper.until_ready()
        yield keeper


@pytest.mark.p(32)
def test_a_runner_that_hangs_as_in_a_driver_is_noticed_by_a_request_and_replaced(
    server: Ollama, tmp_path: Path
) -> None:
    """By the request itself, or, where all that tells of it came within a tick, by canaries."""
    ollama = server.processes.pid
    with beside(server, tmp_path, *CANARIES) as keeper, hanging(server, keeper) as hung:
        with server.hanging_up("/api/generate", model="tiny", prompt="hi"):
            wait_for("its end", lambda: not Path(f"/proc/{hung}").exists(), seconds=60)
            keeper.until_ready()
        assert {"Deadlocked", "CanaryFailed"} & set(keeper.reasons())
        assert server.settled_runner() != hung
        assert server.processes.pid == ollama


@contextmanager
def hanging(server: Ollama, keeper: Sidecar) -> Iterator[int]:
    """A runner that does nothing any more. Now and then its first thread does the others' work."""
    for _ in range(ATTEMPTS):
        pid = server.settled_runner()
        with frozen(pid):
            if is_silent(pid):
                yield pid
                return
        wait_for("another runner", lambda old=pid: server.settled_runner() != old, seconds=60)  # type: ignore[misc]
        keeper.until_ready()
    raise AssertionError(f"none of {ATTEMPTS} runners could be held")


def is_silent(runner: int) -> bool:
    words = Path(f"/proc/{runner}/cmdline").read_text().split("\0")
    port = words[words.index("--port") + 1]
    try:
        httpx.get(f"http://127.0.0.1:{port}/health", timeout=1)
    except httpx.TimeoutException:
        return True
    return False


@pytest.mark.slow
def test_a_client_that_does_not_read_is_told_of_and_gets_its_whole_answer(
    server: Ollama, tmp_path: Path
) -> None:
    with beside(server, tmp_path, *CANARIES[:2]) as keeper, answer_that_waits(server) as answer:
        wait_for(
            "the word of it",
            lambda: held_up_seconds(keeper) > HELD_UP_SECONDS,
            seconds=PATIENCE_SECONDS,
        )
        assert keeper.is_ready()
        last = json.loads(answer.read().splitlines()[-1])
        assert last["done_reason"] == "length"
        assert keeper.status()["counters"]["heatLosses"] == 0


@contextmanager
def answer_that_waits(server: Ollama) -> Iterator[HTTPResponse]:
    """An answer of which nothing is read but its head, and little fits in between."""
    url, content = server.http.base_url, json.dumps(LONG_ANSWER).encode()
    head = f"POST /api/generate HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(content)}"
    with socket.socket() as client:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        # A kernel keeps more for a connection, the larger the segments on it may be.
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_MAXSEG, 536)
        client.settimeout(PATIENCE_SECONDS)
        client.connect((url.host, url.port))
        client.sendall(f"{head}\r\n\r\n".encode() + content)
        with HTTPResponse(client, method="POST") as answer:
            answer.begin()
            assert answer.status == 200
            yield answer


def held_up_seconds(keeper: Sidecar) -> float:
    """For how long a client has kept the model from computing, as `/status` tells it."""
    told = " ".join(keeper.status()["warnings"])
    found = re.search(r"nothing has been computed for ([\d.]+) s", told)
    return float(found[1]) if found else 0.0
