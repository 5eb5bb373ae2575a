"""The runner processes, as the server sees them: started, asked, watched and ended."""

import asyncio
import contextlib
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

from stoker_simulator.errors import RunnerGoneError

Answer = asyncio.Future[list[str]]

_SCRIPT = Path(__file__).with_name("runner.py")


class RunnerProcess(asyncio.Protocol):
    """One runner process, and the connection to it; get one with `start()`."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._transport: asyncio.Transport | None = None
        self._rest = b""
        self._answers: dict[int, Answer] = {}
        self._asked = 0
        self._is_killed = False
        self.ended: asyncio.Future[int] = loop.create_future()
        """Its exit status, once it has one."""
        self._watch = os.pidfd_open(process.pid)
        loop.add_reader(self._watch, self._reap)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ping(self) -> Answer:
        """Done when the runner has answered; RunnerGoneError when it never will."""
        return self._ask("ping", "")

    def say(self, seed: int, count: int) -> Answer:
        """The next words of an answer."""
        return self._ask("say", f" {seed} {count}")

    def spin(self, *, on: bool) -> None:
        """Lets it keep a core busy, as a runner does that reads a long prompt."""
        self._write(b"spin on\n" if on else b"spin off\n")

    def kill_now(self) -> None:
        if not self.ended.done():
            self._is_killed = True
            self._process.send_signal(signal.SIGKILL)

    async def kill(self) -> None:
        """Ends the process, and returns when it has ended."""
        self.kill_now()
        await asyncio.shield(self.ended)

    @property
    def is_moving(self) -> bool:
        """Whether something of it is to come at once: its end, or an answer."""
        if self.ended.done():
            return False
        return self._is_killed or (bool(self._open_answers()) and not self._is_stopped())

    async def moved(self) -> None:
        """Returns when an answer has come, or the process has ended."""
        events: list[asyncio.Future[Any]] = [self.ended, *self._open_answers()]
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)

    # asyncio.Protocol

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport

    def data_received(self, data: bytes) -> None:
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            _, number, *words = line.decode().split()
            answer = self._answers.pop(int(number), None)
            if answer is not None and not answer.done():
                answer.set_result(words)

    def connection_lost(self, exc: Exception | None) -> None:  # noqa: ARG002
        self._transport = None
        answers, self._answers = self._answers, {}
        for answer in answers.values():
            if not answer.done():
                answer.set_exception(RunnerGoneError("unexpected EOF"))

    def _ask(self, verb: str, rest: str) -> Answer:
        answer: Answer = asyncio.get_running_loop().create_future()
        if self._transport is None:
            answer.set_exception(RunnerGoneError("connection refused"))
            return answer
        self._asked += 1
        self._answers[self._asked] = answer
        self._write(f"{verb} {self._asked}{rest}\n".encode())
        return answer

    def _open_answers(self) -> list[Answer]:
        return [answer for answer in self._answers.values() if not answer.done()]

    def _write(self, line: bytes) -> None:
        if self._transport is not None:
            self._transport.write(line)

    def _is_stopped(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return status.rpartition(")")[2].split()[0] in "Tt"

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watch)
        os.close(self._watch)
        status = self._process.wait()
        if self._transport is not None:
            self._transport.abort()
        self.ended.set_result(status)


async def start(program: Path, weights: Path) -> RunnerProcess:
    """Starts a runner for these weights; it is connected, but nobody knows yet if it answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
        # In the server's process group and with its output, like Ollama's.
        process = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond
            [program, "-I", "-S", _SCRIPT, "runner", "--model", weights, "--port", str(port)],
            stdin=listener.fileno(),
        )
    runner = RunnerProcess(process)
    # The kernel takes the connection before the process is there to accept it.
    with contextlib.suppress(OSError):
        await asyncio.get_running_loop().create_connection(lambda: runner, "127.0.0.1", port)
    return runner


def link_program(folder: Path) -> Path:
    """A Python that shows up as `ollama` where processes are listed."""
    link = folder / "ollama"
    link.symlink_to(Path(sys.executable).resolve())
    return link
