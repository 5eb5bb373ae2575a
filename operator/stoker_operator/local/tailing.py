"""The last lines of logs, and what comes after them."""

import os
import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from stoker_operator.local.logfile import older

_LOOK_SECONDS = 0.2


@dataclass(frozen=True)
class Selection:
    """Which lines."""

    process: str | None = None
    replica: int | None = None
    tail: int = 20


def lines(folder: Path, wanted: Selection, *, follow: bool = False) -> Iterator[str]:
    """The last lines of each log, under its name; then, where asked for, those that come."""
    opened: dict[Path, IO[str]] = {}
    try:
        for path in _logs(folder, wanted):
            opened[path] = _open(path)
            yield from _last(path, opened[path], wanted.tail)
        while follow:
            for path in _logs(folder, wanted):
                yield from _new(path, opened)
            time.sleep(_LOOK_SECONDS)
    finally:
        for file in opened.values():
            file.close()


def _logs(folder: Path, wanted: Selection) -> list[Path]:
    return [path for path in sorted(folder.glob("*.log")) if _is_wanted(path.stem, wanted)]


def _is_wanted(name: str, wanted: Selection) -> bool:
    """Logs are called after their process, those of a replica with its number behind."""
    process, _, number = name.partition("-")
    right_process = wanted.process in (None, process)
    return right_process and (wanted.replica is None or number == str(wanted.replica))


def _last(path: Path, newest: IO[str], count: int) -> Iterator[str]:
    """The last lines, and the newest file read to its end."""
    kept: deque[str] = deque(maxlen=count)
    if older(path).exists():
        with _open(older(path)) as file:
            kept.extend(file)
    kept.extend(newest)
    yield from (_named(path, line) for line in kept)


def _new(path: Path, opened: dict[Path, IO[str]]) -> Iterator[str]:
    """What has come since the last look, also into a file that took this one's place."""
    if path not in opened:
        opened[path] = _open(path)
    yield from (_named(path, line) for line in opened[path])
    if not _is_same(opened[path], path):
        opened.pop(path).close()


def _open(path: Path) -> IO[str]:
    return path.open(encoding="utf-8", errors="replace")


def _is_same(file: IO[str], path: Path) -> bool:
    return os.fstat(file.fileno()).st_ino == path.stat().st_ino


def _named(path: Path, line: str) -> str:
    return f"{path.stem} | {line.rstrip()}"
