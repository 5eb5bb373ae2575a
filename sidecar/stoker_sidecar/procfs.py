"""What /proc tells every user of other users' processes: `stat` and `cmdline`.

A command line is whatever its process wants it to be, and so is the name in `stat`: both are taken
for what they are, bytes.
"""

import os
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from stoker_sidecar.heat.observation import Life

PROC = Path("/proc")

_FILE_BYTES = 16384
"""Read of a file. Ollama names the model long before its command line is so long."""

_ABSENT = (FileNotFoundError, ProcessLookupError, PermissionError)

_LIVES = {b"T": Life.STOPPED, b"t": Life.STOPPED, b"D": Life.WAITING}
_ENDED = (b"Z", b"X", b"x")

_HIGHEST_PORT = 65535


class Stat(NamedTuple):
    """The few fields of `/proc/PID/stat` that are needed."""

    life: Life
    """Of the main thread."""
    parent: int
    started: int
    """In clock ticks since the machine started. With the number, the identity of the process."""
    cpu_ticks: int
    """Of all threads."""
    page_reads: int
    """Major faults, of all threads."""


class Runner(NamedTuple):
    """What the command line of a runner says."""

    weights: str
    """The name of the file with the weights: `sha256-…`."""
    port: int | None
    """Where it listens."""


# --- reading ------------------------------------------------------------------------------------


class ProcessFiles:
    """The files in /proc. What is gone or forbidden reads as if it had never been.

    Any other `OSError`, such as too many open files, is raised: it says nothing about a process.
    """

    def __init__(self, root: Path = PROC) -> None:
        self._root = str(root)

    def pids(self) -> list[int]:
        """The numbers of all processes in sight."""
        try:
            names = os.listdir(self._root)  # noqa: PTH208 - no Path for each of many processes
        except _ABSENT:
            return []
        return [int(name) for name in names if name.isdecimal()]

    def stat(self, pid: int) -> Stat | None:
        return parse_stat(self._read(pid, "stat"))

    def command(self, pid: int) -> list[bytes]:
        """The arguments of a process, the program first."""
        return self._read(pid, "cmdline").removesuffix(b"\0").split(b"\0")

    def listening(self, port: int) -> frozenset[int]:
        """The inodes of the sockets that listen on a port, in this network namespace."""
        tables = (Path(self._root, "net", name) for name in ("tcp", "tcp6"))
        return frozenset().union(*(_listening(table, port) for table in tables))

    def holds(self, pid: int, inodes: frozenset[int]) -> bool | None:
        """Whether a process has one of these sockets; None where that is not to be known.

        Only a process's own user and root may look at its files.
        """
        folder = f"{self._root}/{pid}/fd"
        try:
            names = os.listdir(folder)  # noqa: PTH208 - see pids
            links = {os.readlink(f"{folder}/{name}") for name in names}  # noqa: PTH115
        except _ABSENT:
            return None
        return any(f"socket:[{inode}]" in links for inode in inodes)

    def _read(self, pid: int, name: str) -> bytes:
        # This is what a look consists of, so it takes the shortest way.
        try:
            file = os.open(f"{self._root}/{pid}/{name}", os.O_RDONLY | os.O_CLOEXEC)
        except _ABSENT:
            return b""
        try:
            return os.read(file, _FILE_BYTES)
        except _ABSENT:
            return b""
        finally:
            os.close(file)


def _listening(table: Path, port: int) -> frozenset[int]:
    try:
        with table.open("rb") as lines:
            rows = [line.split() for line in lines]
    except _ABSENT:
        return frozenset()
    # Local address, state and inode are the columns 1, 3 and 9; numbers before the inode are hex.
    suffix, listens, columns = b":%04X" % port, b"0A", 10
    return frozenset(
        int(row[9])
        for row in rows
        if len(row) >= columns and row[1].endswith(suffix) and row[3] == listens
    )


# --- understanding ------------------------------------------------------------------------------


def parse_stat(text: bytes) -> Stat | None:
    """None for a process that has ended, reaped or not, and for what is not such a file."""
    # The name in parentheses may hold anything, parentheses too: what counts follows the last one.
    fields = text.rpartition(b")")[2].split()
    try:
        state = fields[0]
        # In the manual's count, which starts at 1 before the name: 4, 12, 14, 15 and 22.
        parent, page_reads, user, system, started = (int(fields[i]) for i in (1, 9, 11, 12, 19))
    except (IndexError, ValueError):
        return None
    if state in _ENDED:
        return None
    return Stat(_LIVES.get(state, Life.ALIVE), parent, started, user + system, page_reads)


def is_server(command: Sequence[bytes]) -> bool:
    """Whether this is `ollama serve`, wherever the program lies."""
    return len(command) > 1 and _name(command[0]) == b"ollama" and command[1] == b"serve"


def parse_runner(command: Sequence[bytes]) -> Runner | None:
    """The model and the port of a runner; None for another child of the server.

    `ollama runner --model PATH --port N`, and from 0.30 `llama-server --model PATH --port N`. The
    name of the program is left aside: what makes a runner is that the server started it with a
    model. It also starts runners without one, for a moment, to ask for GPUs.
    """
    path = _value(command, b"--model") or _value(command, b"-m")
    if not path:
        return None
    return Runner(_name(path).decode("utf-8", "replace"), _port(_value(command, b"--port")))


def _name(path: bytes) -> bytes:
    return path.rpartition(b"/")[2]


def _value(command: Sequence[bytes], flag: bytes) -> bytes | None:
    """What follows the flag, as an argument of its own or behind `=`."""
    for index, argument in enumerate(command):
        if argument == flag:
            return command[index + 1] if index + 1 < len(command) else None
        if argument.startswith(flag + b"="):
            return argument[len(flag) + 1 :]
    return None


def _port(text: bytes | None) -> int | None:
    # Five digits at most: Python counts long ones slowly, or not at all.
    if text is None or not text.isdigit() or len(text) > len(str(_HIGHEST_PORT)):
        return None
    port = int(text)
    return port if 0 < port <= _HIGHEST_PORT else None
