"""`GET /heat` of the real sidecar: each change is told, in its order, as it happens."""

import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx

from contract.ollama.api import Ollama
from stoker_api.wire import HeatEvent
from support.sidecars import QUIET, Sidecar, sidecar
from support.waiting import wait_for

Heard = list[tuple[float, HeatEvent]]


@contextmanager
def following(keeper: Sidecar) -> Iterator[Heard]:
    """What is told while the block lasts; the sidecar has to end with it."""
    heard: Heard = []
    thread = threading.Thread(target=_follow, args=(keeper.http, heard))
    thread.start()
    try:
        yield heard
    finally:
        keeper.process.kill()
        thread.join(10)


def _follow(client: httpx.Client, heard: Heard) -> None:
    try:
        with client.stream("GET", "/heat", timeout=30) as answer:
            for line in answer.iter_lines():
                if line.startswith("data: "):
                    event = HeatEvent.from_line(line.removeprefix("data: "))
                    heard.append((time.monotonic(), event))
    except httpx.HTTPError:
        pass  # it was killed


def reasons(heard: Heard) -> list[str]:
    return [event.reason for _, event in heard]


def is_in_order(wanted: tuple[str, ...]) -> Callable[[list[str]], bool]:
    def judge(given: list[str]) -> bool:
        rest = iter(given)
        return all(reason in rest for reason in wanted)

    return judge


def test_a_crash_is_told_step_by_step_and_at_once(server: Ollama, tmp_path: Path) -> None:
    with sidecar(tmp_path, server.processes.base_url, "--model", "tiny", *QUIET) as keeper:
        keeper.until_ready()
        with following(keeper) as heard:
            wait_for("the heat as it is", lambda: reasons(heard) == ["Hot"])
            assert heard[0][1].hot
            crashed = server.settled_runner()
            killed_at = time.monotonic()
            server.processes.signal(crashed, signal.SIGKILL)
            wanted = ("Hot", "RunnerGone", "Crashed", "Loading", "WarmingUp", "Hot")
            wait_for("all of it", lambda: is_in_order(wanted)(reasons(heard)), seconds=30)
            # What is told is what the log says, without a gap.
            assert reasons(heard) == keeper.reasons()[-len(heard) :]
            lost_at = next(at for at, event in heard if not event.hot)
            assert lost_at - killed_at < 1
