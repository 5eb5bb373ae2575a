"""Clients that ask one request after another, and keep what became of each."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

import httpx

_COLD_SECONDS = 10
"""What the answer calls a load took longer only if it was one: see `HEAVY`."""
_PAUSE_SECONDS = 0.05


@dataclass
class Seen:
    """What became of the requests."""

    count: int = 0
    errors: list[str] = field(default_factory=list)
    cold: list[float] = field(default_factory=list)
    """The seconds that requests waited for a load."""


@contextmanager
def traffic(address: str, clients: int = 2) -> Iterator[Seen]:
    """Requests at the address, each on a connection of its own, while the block lasts."""
    seen, ended = Seen(), threading.Event()
    threads = [threading.Thread(target=_ask, args=(address, seen, ended)) for _ in range(clients)]
    for thread in threads:
        thread.start()
    try:
        yield seen
    finally:
        ended.set()
        for thread in threads:
            thread.join()


def _ask(address: str, seen: Seen, ended: threading.Event) -> None:
    while not ended.wait(_PAUSE_SECONDS):
        began = time.strftime("%H:%M:%S")
        try:
            answer = httpx.post(
                f"{address}/api/generate",
                json={
                    "model": "phi3:mini",
                    "prompt": "Why?",
                    "stream": False,
                    "options": {"num_predict": 5},
                },
                trust_env=False,
                timeout=20,
            )
            loaded = answer.raise_for_status().json()["load_duration"] / 1e9
        except (httpx.HTTPError, KeyError) as error:
            seen.errors.append(f"{began} {error!r}")
        else:
            seen.count += 1
            if loaded > _COLD_SECONDS:
                seen.cold.append(loaded)
