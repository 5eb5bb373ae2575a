"""When a process that has ended is started again: as the kubelet has it. Pure."""

FIRST_SECONDS = 10.0
LONGEST_SECONDS = 300.0
FORGOTTEN_SECONDS = 600.0
"""What has run for so long was well: what came before is forgotten."""


class Backoff:
    """The first time at once, then later and later."""

    def __init__(self) -> None:
        self._next = 0.0

    def ended(self, ran_seconds: float) -> float:
        """How long to wait, now that it has ended after so many seconds."""
        if ran_seconds >= FORGOTTEN_SECONDS:
            self._next = 0.0
        wait = self._next
        self._next = min(LONGEST_SECONDS, wait * 2) if wait else FIRST_SECONDS
        return wait
