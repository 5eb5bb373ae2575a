"""A process that hangs as in a driver: it is not stopped, and nothing in it goes on.

SIGSTOP stops a process as a whole, and that can be seen. Here each thread but the first is held by
the debugger's interface, one at a time, and the first sleeps, waiting for them.
"""

import ctypes
import os
import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_SEIZE, _INTERRUPT = 0x4206, 0x4207
_ALL_THREADS, _OF_THIS_THREAD = 0x40000000, 0x20000000

_libc = ctypes.CDLL(None, use_errno=True)
_libc.ptrace.argtypes = (ctypes.c_long, ctypes.c_long, ctypes.c_void_p, ctypes.c_void_p)
_libc.ptrace.restype = ctypes.c_long


@contextmanager
def frozen(pid: int) -> Iterator[None]:
    """The process hangs from now on. With the block it ends, if nobody has ended it before."""
    holder = _Holder(pid)
    holder.start()
    try:
        holder.until_held()
        yield
    finally:
        with suppress(ProcessLookupError):
            os.kill(pid, signal.SIGKILL)
        holder.join()


class _Holder(threading.Thread):
    """Holds the threads; only the thread that holds them is told of their end, and has to hear."""

    def __init__(self, pid: int) -> None:
        super().__init__()
        self._tasks = Path(f"/proc/{pid}/task")
        self._pid = pid
        self._done = threading.Event()
        self._error: OSError | None = None

    def until_held(self) -> None:
        assert self._done.wait(30), "the threads are not held"
        if self._error is not None:
            raise self._error

    def run(self) -> None:
        try:
            self._hold()
        except OSError as error:
            self._error = error
        self._done.set()
        with suppress(ChildProcessError):
            while True:
                os.waitpid(-1, _ALL_THREADS | _OF_THIS_THREAD)

    def _hold(self) -> None:
        """Until a look finds no thread more: those that are not held yet may start others."""
        held = {self._pid}
        while new := {int(task.name) for task in self._tasks.iterdir()} - held:
            for thread in new:
                _trace(_SEIZE, thread)
                _trace(_INTERRUPT, thread)
            held |= new


def _trace(request: int, thread: int) -> None:
    if _libc.ptrace(request, thread, None, None) == -1:
        code = ctypes.get_errno()
        raise OSError(code, f"thread {thread} cannot be held: {os.strerror(code)}")
