"""A sidecar as tests run it: the real command, as a process of its own."""

import os
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import httpx

from stoker_sidecar.timeline import explained, replay
from support.waiting import wait_for

PATIENCE_SECONDS = 60

QUIET = ("--heartbeat-canary-idle-after-seconds", "3600")
"""No canaries: what is noticed is noticed without them."""


class Sidecar:
    """`stoker-sidecar run` beside an Ollama."""

    def __init__(self, folder: Path, ollama_url: str, *flags: str, **environment: str) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self.log = folder / "sidecar.log"
        self.timeline = folder / "timeline.jsonl"
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                [
                    *(sys.executable, "-m", "stoker_sidecar", "run", "--ollama", ollama_url),
                    *("--listen", "127.0.0.1:0", "--record", str(self.timeline)),
                    *("--hands", str(folder), "--log-format", "text", *flags),
                ],
                env={"PATH": os.environ["PATH"], **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        wait_for("the sidecar's port", lambda: self._port() or self._has_ended())
        assert not self._has_ended(), self.log.read_text()
        self.http = httpx.Client(base_url=f"http://127.0.0.1:{self._port()}", timeout=10)

    def _has_ended(self) -> bool:
        return self.process.poll() is not None

    def _port(self) -> int | None:
        found = re.search(r"sidecar started .*port=(\d+)", self.log.read_text())
        return int(found[1]) if found else None

    def status(self) -> dict[str, Any]:
        return dict(self.http.get("/status").json())

    def is_ready(self) -> bool:
        return self.http.get("/readyz").status_code == 200

    def reasons(self) -> list[str]:
        """Every reason so far, in order."""
        return re.findall(r"heat changed .*?reason=(\w+)", self.log.read_text())

    def until_ready(self) -> None:
        self._wait_for("heat", self.is_ready)

    def until_shut(self) -> None:
        self._wait_for("a shut gate", lambda: not self.is_ready())

    def until(self, reason: str) -> dict[str, Any]:
        """The status, once it gives this reason."""
        seen: dict[str, Any] = {}

        def gives_it() -> bool:
            seen.update(self.status())
            return bool(seen["reason"] == reason)

        self._wait_for(f"the reason {reason}", gives_it)
        return seen

    def until_said(self, *reasons: str) -> None:
        """Returns when these reasons have been given, in this order, others between them or not."""

        def said() -> bool:
            given = iter(self.reasons())
            return all(reason in given for reason in reasons)

        self._wait_for(f"the reasons {', '.join(reasons)}", said)

    def _wait_for(self, what: str, condition: Callable[[], object]) -> None:
        try:
            wait_for(what, condition, seconds=PATIENCE_SECONDS)
        except AssertionError as error:
            raise AssertionError(f"{error}; its log:\n{self.log.read_text()[-3000:]}") from error

    def explanation(self) -> str:
        """What `stoker-sidecar replay` makes of what it saw."""
        lines = self.timeline.read_text().splitlines()
        return "\n".join(explained(replay(lines), every_step=False))

    def stop(self) -> None:
        self.http.close()
        if not self._has_ended():
            self.process.kill()
        self.process.wait(timeout=10)


@contextmanager
def sidecar(folder: Path, ollama_url: str, *flags: str, **environment: str) -> Iterator[Sidecar]:
    """A sidecar while the block lasts."""
    running = Sidecar(folder, ollama_url, *flags, **environment)
    try:
        yield running
    finally:
        running.stop()
