"""Waiting for a condition, with a deadline and a word for what did not come."""

import time
from collections.abc import Callable

_STEP_SECONDS = 0.005


def wait_for(what: str, condition: Callable[[], object], *, seconds: float = 10) -> None:
    """Returns when `condition` holds; fails, naming `what`, when it does not in time."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > deadline:
            raise AssertionError(f"{what} did not come within {seconds} s")
        time.sleep(_STEP_SECONDS)
