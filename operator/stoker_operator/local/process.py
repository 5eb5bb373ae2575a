"""A process that ends with whoever started it, and takes all that it started along.

Each process gets a session and a process group of its own, and a watcher in it: a shell of one line
that reads from the *leash*, a pipe whose other end only `stoker up` has. Nothing is ever written to
it. When `stoker up` is gone, however that came about, the kernel closes its end, each watcher reads
the end of the pipe and kills its group: the process, its children, Ollama's runners. That takes no
privilege, nothing of Linux alone, and about a megabyte for each.
"""

import asyncio
import contextlib
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

_READ_BYTES = 65536

# The process itself has neither the leash nor the terminal; SIGKILL to 0 is one to the group.
_LEASHED = 'exec 3<&0 </dev/null; { read -r _ <&3; kill -KILL 0; } >/dev/null 2>&1 & exec "$@" 3<&-'

Output = Callable[[bytes], None]


class Leash:
    """The pipe by which processes learn that `stoker up` is gone."""

    def __init__(self) -> None:
        self.held, self._kept = os.pipe()

    def close(self) -> None:
        """Lets go: whatever is on the leash still is killed."""
        os.close(self.held)
        os.close(self._kept)


@dataclass(frozen=True)
class Command:
    """What to run."""

    argv: Sequence[str]
    environment: Mapping[str, str]
    folder: str
    given: tuple[int, ...] = ()
    """Open files that the process inherits."""


class Process:
    """One that runs, or has ended."""

    def __init__(self, popen: "subprocess.Popen[bytes]", output: int, write: Output) -> None:
        self.pid = popen.pid
        self._popen = popen
        self._output, self._write = output, write
        self._loop = asyncio.get_running_loop()
        self._ended: asyncio.Future[int] = self._loop.create_future()
        self._pidfd = os.pidfd_open(popen.pid)
        self._loop.add_reader(self._pidfd, self._reap)
        self._loop.add_reader(output, self._read)

    @classmethod
    def start(cls, command: Command, leash: Leash, write: Output) -> "Process":
        """Starts it; `write` takes what it says."""
        output, its_output = os.pipe()
        os.set_blocking(output, False)
        try:
            popen = subprocess.Popen(  # noqa: S603 - what the manifests say, and no shell between
                ["/bin/sh", "-c", _LEASHED, "stoker", *command.argv],
                env=dict(command.environment),
                cwd=command.folder,
                stdin=leash.held,
                stdout=its_output,
                stderr=subprocess.STDOUT,
                pass_fds=command.given,
                start_new_session=True,
            )
        except OSError:
            os.close(output)
            raise
        finally:
            os.close(its_output)
        return cls(popen, output, write)

    async def wait(self) -> int:
        """How it ended, once it has: the exit status, or a signal's number below 0."""
        return await asyncio.shield(self._ended)

    def tell(self, number: signal.Signals) -> None:
        """Sends a signal to the process alone, as a kubelet does."""
        if not self._ended.done():
            self._popen.send_signal(number)

    def kill(self) -> None:
        """Ends it and all that it started, heeded or not."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.pid, signal.SIGKILL)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        os.close(self._pidfd)
        # Before it is reaped: until then nobody else can have its number, and the group is its.
        self.kill()
        status = self._popen.wait()
        self._read()
        self._loop.remove_reader(self._output)
        os.close(self._output)
        self._ended.set_result(status)

    def _read(self) -> None:
        while True:
            try:
                data = os.read(self._output, _READ_BYTES)
            except BlockingIOError:
                return
            if not data:
                self._loop.remove_reader(self._output)
                return
            self._write(data)


def how(status: int) -> str:
    """How a process ended, in words."""
    if status < 0:
        return f"ended by {signal.Signals(-status).name}"
    return f"ended with status {status}"
