"""When the gate may be written: at once, soon, or not at all. Pure: time and chance are arguments.

A flap must not become a storm, and a loss of heat must not wait. So whatever opens the gate or only
changes its words takes a token from a bucket, and the first try to shut it takes none: between two
shuts there is always an opening that took one.
"""

from dataclasses import dataclass

from stoker_api.wire import HotCondition


@dataclass(frozen=True)
class Tempo:
    """How fast the gate is written; seconds where it is a time."""

    burst: int = 5
    tokens_per_second: float = 1.0
    new_words: float = 30.0
    """What changes words alone waits until the last write is so old: numbers in them move."""
    patience: float = 5.0
    """How long the API server has to answer."""
    first_retry: float = 0.1
    last_retry: float = 1.0
    """Short: a gate that has to shut must do so soon after the API server is back, and only pods
    whose heat has changed meanwhile have anything to write."""
    refused_retry: float = 10.0
    check: float = 600.0
    """How often the API server's copy is looked at although nothing has changed here: a restored
    backup of a cluster brings old conditions with it."""
    check_again: float = 60.0
    """The same, where the look has failed."""
    leaving_known: float = 1.0
    """How long an answer to "is the pod leaving?" holds."""


TEMPO = Tempo()


def same_gate(one: HotCondition, other: HotCondition) -> bool:
    """Whether both are open, or both shut for the same reason. The rest is words and times."""
    return one.hot == other.hot and (one.hot or one.reason == other.reason)


def _same_words(one: HotCondition, other: HotCondition) -> bool:
    return (one.reason, one.message) == (other.reason, other.message)


class Pace:
    """When the next write may be sent."""

    def __init__(self, tempo: Tempo = TEMPO) -> None:
        self._tempo = tempo
        self._tokens = float(tempo.burst)
        self._counted_at = 0.0
        self._not_before = 0.0
        self._failures = 0
        self._sent: HotCondition | None = None
        self._sent_at = 0.0

    def due(self, wanted: HotCondition, stored: HotCondition | None, now: float) -> float | None:
        """When `wanted` may be sent; None where it is stored. `stored` None: nobody knows."""
        if stored and same_gate(stored, wanted) and _same_words(stored, wanted):
            return None
        if self._shuts(wanted):
            return now
        due = max(self._not_before, now + self._seconds_until_token(now))
        if stored and same_gate(stored, wanted):
            return max(due, self._sent_at + self._tempo.new_words)
        return due

    def sent(self, wanted: HotCondition, now: float) -> None:
        """A write of `wanted` is on its way."""
        if not self._shuts(wanted):
            self._tokens = self._tokens_at(now) - 1
            self._counted_at = now
        self._sent, self._sent_at = wanted, now

    def succeeded(self) -> None:
        self._failures = 0
        self._not_before = 0.0

    def failed(
        self, now: float, chance: float, *, refused: bool, told_seconds: float | None = None
    ) -> None:
        """It has failed. `chance`, from 0 to 1, keeps the retries of many pods apart."""
        longest = self._tempo.refused_retry if refused else self._tempo.last_retry
        doubled = self._tempo.first_retry * 2.0 ** min(self._failures, 30)
        wait = min(doubled, longest) * (0.5 + chance / 2)
        self._not_before = now + max(wait, told_seconds or 0.0)
        self._failures += 1

    def _shuts(self, wanted: HotCondition) -> bool:
        """Whether this is the first try to shut a gate that is, or may be, open."""
        return not wanted.hot and (self._sent is None or self._sent.hot)

    def _tokens_at(self, now: float) -> float:
        grown = (now - self._counted_at) * self._tempo.tokens_per_second
        return min(float(self._tempo.burst), self._tokens + grown)

    def _seconds_until_token(self, now: float) -> float:
        return max(0.0, 1 - self._tokens_at(now)) / self._tempo.tokens_per_second
