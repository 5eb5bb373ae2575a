"""What people see of it: tables, and a live one at the foot of a terminal."""

import logging
import shutil
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from typing import TextIO

from stoker_api import logs
from stoker_operator.local.state import ReplicaStatus, Status

_HEADS = ("NAME", "MODEL", "HOT", "ADDRESS", "REPLICA", "STATE", "WHY")
_UP = "\x1b[{}F\x1b[J"
"""So many lines up, and clear from there."""

Row = tuple[str, ...]


def table(statuses: Sequence[Status]) -> list[str]:
    """A line for each replica, under those of its LLMDeployment."""
    return columns([_HEADS, *(row for status in statuses for row in _rows(status))])


def _rows(status: Status) -> Iterable[Row]:
    own = (status.name, status.model, f"{status.hot}/{status.wanted}", status.address)
    replicas = [_replica(each) for each in status.replicas] or [("-", "-", "no replica")]
    for index, row in enumerate(replicas):
        yield (*(own if index == 0 else ("",) * len(own)), *row)


def _replica(replica: ReplicaStatus) -> Row:
    state = "Leaving" if replica.leaving else replica.state or "Starting"
    return str(replica.number), state, replica.sentence


def columns(rows: Sequence[Row]) -> list[str]:
    """The rows, each column as wide as its widest."""
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    padded = ((cell.ljust(width) for cell, width in zip(row, widths, strict=True)) for row in rows)
    return ["  ".join(row).rstrip() for row in padded]


class LiveView(logging.Handler):
    """Log lines as they come, and below them the table, drawn anew."""

    def __init__(self, statuses: Callable[[], Sequence[Status]], out: TextIO = sys.stdout) -> None:
        super().__init__()
        self.setFormatter(logs.Terminal())
        self._statuses = statuses
        self._out = out
        self._drawn: list[str] = []

    def emit(self, record: logging.LogRecord) -> None:
        self._clear()
        self._out.write(self.format(record) + "\n")
        self.draw()

    def draw(self) -> None:
        """Shows how it is now."""
        width = shutil.get_terminal_size().columns
        lines = [line[:width] for line in ["", *table(self._statuses())]]
        if lines != self._drawn:
            self._clear()
            self._out.write("".join(f"{line}\n" for line in lines))
            self._out.flush()
            self._drawn = lines

    def _clear(self) -> None:
        if self._drawn:
            self._out.write(_UP.format(len(self._drawn)))
            self._drawn = []


def clock(moment: float) -> str:
    """The time of day."""
    return time.strftime("%H:%M:%S", time.localtime(moment))
