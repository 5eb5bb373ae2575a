"""What was seen, written down line by line, and explained again later.

A line is JSON: the moment, what was seen, and what was wanted where that has changed. The heart is
pure, so the same lines lead to the same verdicts on any machine: `stoker-sidecar replay FILE`.
"""

import json
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from stoker_api.codec import MalformedError, decode, encode
from stoker_sidecar.errors import SidecarError
from stoker_sidecar.heat import Memory, Observation, Step, Wanted, step
from stoker_sidecar.heat.facts import span

_MOST_BYTES = 32 * 1024 * 1024
"""Of each of two files: some hours."""


class TimelineError(SidecarError):
    """A line that is none of a timeline, or a file that cannot be written."""


class Timeline:
    """Writes a file, anew at each start and when it is long; the last one stays beside it."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._written = 0
        self._wanted: Wanted | None = None
        try:
            if path.exists():
                self._set_aside()
            self._file = path.open("w", encoding="utf-8")
        except OSError as error:
            raise TimelineError(f"{path} cannot be written: {error.strerror}") from error

    def write(self, wanted: Wanted, seen: Observation, now: float) -> None:
        line: dict[str, Any] = {"at": now, "seen": encode(seen)}
        if wanted != self._wanted:
            self._wanted = wanted
            line["wanted"] = encode(wanted)
        text = json.dumps(line, separators=(",", ":"))
        self._written += self._file.write(text + "\n")
        self._file.flush()
        if self._written > _MOST_BYTES:
            self._turn()

    def _turn(self) -> None:
        self._file.close()
        self._set_aside()
        self._file = self._path.open("w", encoding="utf-8")
        self._written, self._wanted = 0, None

    def _set_aside(self) -> None:
        self._path.replace(self._path.with_name(f"{self._path.name}.1"))


def read(name: str) -> Iterator[str]:
    """The lines of a file; `-` is standard input."""
    try:
        if name == "-":
            yield from sys.stdin
            return
        with Path(name).open(encoding="utf-8") as lines:
            yield from lines
    except OSError as error:
        raise TimelineError(f"{name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise TimelineError(f"{name} is no text: {error}") from error


def replay(lines: Iterable[str]) -> Iterator[tuple[float, Step]]:
    """The steps that these lines lead to, with the seconds since the first."""
    memory: Memory | None = None
    wanted: Wanted | None = None
    begin = 0.0
    for number, text in enumerate(lines, 1):
        if not text.strip():
            continue
        line = _line(number, text)
        try:
            wanted = decode(Wanted, line["wanted"], "wanted") if "wanted" in line else wanted
            seen = decode(Observation, line["seen"], "seen")
            now = decode(float, line["at"], "at")
        except (MalformedError, KeyError) as error:
            what = f"the key {error} is missing" if isinstance(error, KeyError) else error
            raise TimelineError(f"line {number}: {what}") from error
        if wanted is None:
            raise TimelineError(f"line {number}: nothing said so far what was wanted")
        if memory is None:
            memory, begin = Memory.new(now), now
        taken = step(memory, seen, wanted, now)
        memory = taken.memory
        yield now - begin, taken


def _line(number: int, text: str) -> dict[str, Any]:
    try:
        line = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise TimelineError(f"line {number}: not JSON: {error}") from error
    if not isinstance(line, dict):
        raise TimelineError(f"line {number}: must be an object")
    return line


def explained(steps: Iterable[tuple[float, Step]], *, every_step: bool) -> Iterator[str]:
    """The steps in sentences: those in which something changed or was done, or all."""
    for since, taken in steps:
        verdict, action = taken.verdict, taken.action
        if not (taken.before or action or every_step):
            continue
        gate = "open" if taken.gate.open else "shut"
        lost = " HEAT LOST." if taken.lost_heat else ""
        deed = f" -> {action.deed}" if action else ""
        yield (
            f"{span(since):>9}  gate {gate}  {verdict.state}/{verdict.reason}:"
            f"{lost} {verdict.message}{deed}"
        )
