"""What moves between the server and its runner: a sight that is left when no answer comes.

Both talk HTTP or something like it over loopback, and the kernel counts the bytes of each side.
"""

import re
import signal
import subprocess
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import pytest

from contract.ollama.api import Ollama, eventually


@dataclass(frozen=True)
class Moved:
    """Bytes on the open connections to a runner."""

    connections: int
    to_runner: int
    to_server: int


def moved(server: Ollama) -> Moved:
    arguments = Path(f"/proc/{server.runner()}/cmdline").read_text().split("\0")
    port = arguments[arguments.index("--port") + 1]
    command = ["ss", "-HOtin", "state", "established", "dport", "=", f":{port}"]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    counts = {
        name: sum(int(count) for count in re.findall(rf"\b{name}:(\d+)", done.stdout))
        for name in ("bytes_sent", "bytes_received")
    }
    lines = done.stdout.splitlines()
    return Moved(len(lines), counts["bytes_sent"], counts["bytes_received"])


def test_a_request_moves_bytes_to_the_runner_and_its_words_move_bytes_back(server: Ollama) -> None:
    server.load("tiny")
    server.say("tiny")
    before = moved(server)
    with server.talking("tiny") as lines:
        next(lines)
        first = moved(server)
        list(islice(lines, 50))
        later = moved(server)
    assert first.to_runner > before.to_runner
    assert later.to_runner == first.to_runner
    assert later.to_server > first.to_server


def test_an_idle_runner_keeps_a_connection_on_which_nothing_moves(server: Ollama) -> None:
    server.load("tiny")
    server.say("tiny")
    before = moved(server)
    for path in ("/", "/api/ps", "/api/tags"):
        assert server.http.get(path).status_code == 200
    assert moved(server) == before
    assert before.connections == 1
    server.say("tiny")
    assert moved(server).connections == 1


@pytest.mark.p(32)
def test_nothing_moves_while_a_request_hangs_in_a_stopped_runner(server: Ollama) -> None:
    server.load("tiny")
    with server.talking("tiny") as lines:
        next(lines)
        runner = server.runner()
        server.processes.signal(runner, signal.SIGSTOP)
        eventually(lambda: moved(server) == moved(server), "the last byte")
        before = moved(server)
        assert server.ps()
        assert moved(server) == before
        server.processes.signal(runner, signal.SIGCONT)
        next(lines)
        eventually(lambda: moved(server).to_server > before.to_server, "more bytes")


def test_a_client_that_hangs_up_ends_the_connection_to_the_runner(server: Ollama) -> None:
    server.load("tiny")
    with server.talking("tiny") as lines:
        next(lines)
        assert moved(server).connections == 1
    eventually(lambda: not moved(server).connections, "the end of the connection")
