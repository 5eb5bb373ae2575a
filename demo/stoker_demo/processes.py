"""The processes that hold models, found as the sidecar finds them."""

import asyncio
import os
import signal
from collections.abc import Iterable, Iterator
from contextlib import contextmanager, suppress

from stoker_sidecar.heat.observation import Life
from stoker_sidecar.procfs import ProcessFiles, Stat, parse_runner

_FILES = ProcessFiles()


def runners(root: int) -> list[int]:
    """The descendants of this process that hold a model."""
    stats = {pid: stat for pid in _FILES.pids() if (stat := _FILES.stat(pid))}
    return [
        pid
        for pid in stats
        if _descends(pid, root, stats) and parse_runner(_FILES.command(pid)) is not None
    ]


def is_stopped(pid: int) -> bool:
    """Whether it hangs by a signal."""
    stat = _FILES.stat(pid)
    return stat is not None and stat.life is Life.STOPPED


def _descends(pid: int, root: int, stats: dict[int, Stat]) -> bool:
    while pid in stats:
        pid = stats[pid].parent
        if pid == root:
            return True
    return False


def end_with_parent(pid: int) -> None:
    """Kills the process, and the one that started it before."""
    if stat := _FILES.stat(pid):
        for each in (stat.parent, pid):
            with suppress(ProcessLookupError):
                os.kill(each, signal.SIGKILL)


@contextmanager
def handles(pids: Iterable[int]) -> Iterator[list[int]]:
    """Handles to those processes that have not ended: their numbers may become those of others."""
    held: list[int] = []
    try:
        for pid in pids:
            with suppress(ProcessLookupError):
                held.append(os.pidfd_open(pid))
        yield held
    finally:
        for handle in held:
            os.close(handle)


async def end_of(handle: int) -> None:
    """Returns when the process has ended."""
    loop, ended = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(handle, ended.set)
    try:
        await ended.wait()
    finally:
        loop.remove_reader(handle)
