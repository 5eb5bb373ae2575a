"""The runner processes, as the server sees them: started, asked, watched and ended."""

import asyncio
import os
import signal
import socket
import subprocess
import sys
from contextlib import AbstractAsyncContextManager, AbstractContextManager
from pathlib import Path
from typing import Any

from stoker_simulator.connections import Connection, Connections, Line
from stoker_simulator.orders import Orders, open_orders

_SCRIPT = Path(__file__).with_name("runner.py")


class RunnerProcess:
    """One runner process; get one with `start()`."""

    def __init__(self, process: subprocess.Popen[bytes], port: int, orders: Orders) -> None:
        loop = asyncio.get_running_loop()
        self._process = process
        self._connections = Connections(port)
        self._orders = orders
        self._is_killed = False
        self.ended: asyncio.Future[int] = loop.create_future()
        """Its exit status, once it has one."""
        self._watch = os.pidfd_open(process.pid)
        loop.add_reader(self._watch, self._reap)

    @property
    def pid(self) -> int:
        return self._process.pid

    def ping(self) -> asyncio.Future[Any]:
        """Done when the runner has answered; RunnerGoneError when it never will."""
        return self._connections.ask_health()

    def answering(self) -> AbstractAsyncContextManager[Connection]:
        """A request to the runner, for as long as the block lasts; RunnerGoneError without one."""
        return self._connections.answering()

    def say(self, connection: Connection, first: int, count: int) -> Line:
        """The words of these numbers, once they have come over this connection."""
        self._orders.say(connection.number, first, count)
        return connection.expect()

    def spinning(self) -> AbstractContextManager[None]:
        """Keeps the runner busy, as one that computes."""
        return self._orders.spinning()

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
        return self._is_killed or (bool(self._connections.expected()) and not self._is_stopped())

    async def moved(self) -> None:
        """Returns when an answer has come, or the process has ended."""
        events: list[asyncio.Future[Any]] = [self.ended, *self._connections.expected()]
        await asyncio.wait(events, return_when=asyncio.FIRST_COMPLETED)

    def _is_stopped(self) -> bool:
        try:
            status = Path(f"/proc/{self.pid}/stat").read_text()
        except FileNotFoundError:
            return False
        return status.rpartition(")")[2].split()[0] in "Tt"

    def _reap(self) -> None:
        asyncio.get_running_loop().remove_reader(self._watch)
        os.close(self._watch)
        self.ended.set_result(self._process.wait())


async def start(program: Path, weights: Path) -> RunnerProcess:
    """Starts a runner for these weights; nobody knows yet if it answers."""
    ours, theirs = socket.socketpair()
    with socket.create_server(("127.0.0.1", 0)) as listener, theirs:
        port = listener.getsockname()[1]
        # In the server's process group, like Ollama's.
        process = subprocess.Popen(  # noqa: ASYNC220 - takes a millisecond
            [program, "runner", "--model", weights, "--port", str(port)],
            cwd=program.parent,
            stdin=listener.fileno(),
            stdout=theirs.fileno(),
        )
    return RunnerProcess(process, port, await open_orders(ours))


def link_program(folder: Path, command: str = "runner", script: Path = _SCRIPT) -> Path:
    """A Python that looks like Ollama where processes are listed: `ollama runner --model …`.

    The command is a script in the folder, which it has to be started in. The folder is a virtual
    environment, an empty one, so that nothing is imported of what is installed.
    """
    python = Path(sys.executable).resolve()
    (folder / command).symlink_to(script)
    settings = f"home = {python.parent}\ninclude-system-site-packages = false\n"
    (folder / "pyvenv.cfg").write_text(settings)
    link = folder / "ollama"
    link.symlink_to(python)
    return link
