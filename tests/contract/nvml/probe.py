"""pynvml in a process of its own, with an environment of its own."""

import itertools
import json
import os
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import Future
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

CHILD = Path(__file__).with_name("child.py")

# A call that should return does so in milliseconds; the machine may be busy.
PATIENCE_SECONDS = 20


@dataclass(frozen=True)
class Failed:
    """What a call gives that raised NVMLError_<name>."""

    name: str
    says: str = field(default="", compare=False)


@dataclass(frozen=True)
class Kept:
    """Stands for what an earlier call returned."""

    name: str


class Probe:
    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self._ids = itertools.count()
        self._pending: dict[int, Future[Any]] = {}
        threading.Thread(target=self._read, daemon=True).start()

    def call(self, function: str, *arguments: Any) -> Any:
        """What the function of pynvml returns, or how it failed."""
        return self.start(function, *arguments).result(PATIENCE_SECONDS)

    def keep(self, name: str, function: str, *arguments: Any) -> Failed | None:
        """Keeps what the function returns, as Kept(name) in later calls."""
        failed: Failed | None = self.start(function, *arguments, keep=name).result(PATIENCE_SECONDS)
        return failed

    def start(self, function: str, *arguments: Any, keep: str = "") -> Future[Any]:
        """Begins a call that may take its time."""
        number = next(self._ids)
        future: Future[Any] = Future()
        self._pending[number] = future
        given = [{"kept": each.name} if isinstance(each, Kept) else each for each in arguments]
        request = {"id": number, "call": function, "with": given, "keep": keep}
        assert self._process.stdin
        self._process.stdin.write(json.dumps(request) + "\n")
        self._process.stdin.flush()
        return future

    def _read(self) -> None:
        assert self._process.stdout
        for line in self._process.stdout:
            reply = json.loads(line)
            failed = Failed(reply["error"], reply["says"]) if "error" in reply else None
            self._pending.pop(reply["id"]).set_result(failed or reply.get("value"))
        for future in self._pending.values():
            future.set_exception(EOFError("the process that calls pynvml has ended"))


@contextmanager
def probing(environment: Mapping[str, str], log: Path) -> Iterator[Probe]:
    """A probe that has not yet called nvmlInit; `log` gets what it prints on standard error."""
    with log.open("a") as errors:
        process = subprocess.Popen(
            [sys.executable, str(CHILD)],
            env={**os.environ, **environment},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
        )
    with process:
        try:
            yield Probe(process)
        finally:
            # It may hang in a call, so it is not asked.
            process.kill()
