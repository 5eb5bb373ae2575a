"""A pull as it goes on: how far it is, whether it still moves, and how it ends.

Ollama tells of a pull in lines of JSON, in an answer whose status is 200 whatever comes of it. It
repeats them many times a second although nothing arrives (P35), so only bytes count as movement.
"""

import asyncio
from collections.abc import Callable

from stoker_api.codec import MalformedError
from stoker_sidecar import answers
from stoker_sidecar.complaints import fault_of_pull
from stoker_sidecar.exchange import ExchangeError, NonsenseError, Reply
from stoker_sidecar.heat.observation import Fault, PullProgress

_SLOWEST_DISK = 50e6
"""Bytes per second at which a blob is read once more, in silence, to verify it."""
_MAX_BLOBS = 10_000

_HINTS = {
    "TLS handshake": "the registry speaks plain HTTP, which has to be allowed",
    "permission denied": "Ollama may not write into its model store",
    "read-only file system": "Ollama cannot write into its model store",
}


class PullError(ExchangeError):
    """A pull that failed, and why."""

    def __init__(self, message: str, fault: Fault) -> None:
        super().__init__(message)
        self.fault = fault


class Tally:
    """What has arrived, from the lines so far.

    Each blob counts by the most that was ever said of it: Ollama takes back what it has to
    download again, or counts it twice.
    """

    def __init__(self) -> None:
        self._blobs: dict[str, tuple[int, int]] = {}
        self._phases: set[str] = set()
        self._done = 0
        self._total = 0

    def take(self, line: answers.PullLine) -> tuple[PullProgress, bool]:
        """The progress with this line, and whether it is more than before."""
        before = self._done
        if line.digest and (line.digest in self._blobs or len(self._blobs) < _MAX_BLOBS):
            self._count(line)
        is_new = line.phase not in self._phases and len(self._phases) < 2 * _MAX_BLOBS
        if is_new:
            self._phases.add(line.phase)
        progress = PullProgress(self._done, self._total or None, line.phase)
        return progress, is_new or self._done > before

    def _count(self, line: answers.PullLine) -> None:
        old_done, old_total = self._blobs.get(line.digest, (0, 0))
        total = max(old_total, line.total_bytes)
        done = min(total, max(old_done, line.done_bytes))
        self._blobs[line.digest] = (done, total)
        self._done += done - old_done
        self._total += total - old_total


async def follow(
    reply: Reply, report: Callable[[PullProgress], None], stall_seconds: float
) -> None:
    """Reads a pull to its end, reporting whenever it has come further."""
    tally, progress = Tally(), None
    loop = asyncio.get_running_loop()
    try:
        async with asyncio.timeout(stall_seconds) as patience:
            while (line := await reply.line()) is not None:
                said = _read(line)
                if said.error:
                    raise failure(said.error, progress)
                if said.phase == "success":
                    return
                progress, moved = tally.take(said)
                if moved:
                    patience.reschedule(loop.time() + _allowance(progress, stall_seconds))
                    report(progress)
    except TimeoutError as error:
        if not patience.expired():
            raise
        raise _stalled(progress, stall_seconds) from error
    raise PullError("Ollama has broken off its answer", Fault.OTHER)


def failure(words: str, progress: PullProgress | None = None) -> PullError:
    """The error for what Ollama said, with what helps to mend it."""
    fault = fault_of_pull(words)
    if fault is Fault.NO_SPACE and progress and progress.total_bytes:
        return PullError(f"{words} ({_megabytes(progress)} are there)", fault)
    hints = [hint for sign, hint in _HINTS.items() if sign in words]
    return PullError(f"{words} ({hints[0]})" if hints else words, fault)


def _read(line: bytes) -> answers.PullLine:
    try:
        return answers.pull_line(line)
    except MalformedError as error:
        raise NonsenseError(f"a pull that does not go like Ollama's: {error}") from error


def _allowance(progress: PullProgress, stall_seconds: float) -> float:
    """How long nothing may move now. Verifying is silent, and takes as long as the disk does."""
    if progress.phase.startswith("verifying"):
        return stall_seconds + progress.done_bytes / _SLOWEST_DISK
    return stall_seconds


def _stalled(progress: PullProgress | None, seconds: float) -> PullError:
    there = f"{_megabytes(progress)} are there" if progress else "nothing has come"
    return PullError(f"the pull has not moved for {seconds:g} s ({there})", Fault.STALLED)


def _megabytes(progress: PullProgress) -> str:
    total = f" of {progress.total_bytes / 1e6:,.1f}" if progress.total_bytes else ""
    return f"{progress.done_bytes / 1e6:,.1f}{total} MB"
