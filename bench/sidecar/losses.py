"""How soon a loss of heat shuts the gate, and how soon heat is back."""

import math
import os
import signal
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

from bench.sidecar.beside import calm, end_of, keeping, moment, real, shut_at
from bench.sidecar.standins import ApiServer
from bench.table import Settings, note, times

from bed import models
from bed.ollama import running
from contract.ollama.api import Ollama
from contract.sidecar.pod import Container, RealContainer, in_pod
from support.sidecars import QUIET, Sidecar
from support.waiting import wait_for

HEARTBEAT_SECONDS = 0.5
CANARY = (
    *("--heartbeat-canary-idle-after-seconds", "2"),
    *("--heartbeat-canary-timeout-seconds", "2"),
)

Loss = Callable[[Ollama, int], None]

WAYS_OUT: dict[str, Loss] = {
    "runner killed": lambda server, pid: server.processes.signal(pid, signal.SIGKILL),
    "unloaded": lambda server, _: _quietly(lambda: server.unload("tiny")),
    "evicted": lambda server, _: _quietly(lambda: server.say("other")),
    "reloaded": lambda server, _: _quietly(lambda: server.say("tiny", options={"num_ctx": 512})),
}


def _quietly(ask: Callable[[], object]) -> None:
    """The sidecar may load its model in between; then the answer is an error, and no matter."""
    try:
        ask()
    except AssertionError:
        return


def heat_lost(settings: Settings) -> None:
    """From the end of the runner's process to a shut gate, and to the write of that."""
    with ExitStack() as stack:
        api = stack.enter_context(ApiServer.running()) if settings.mounts else None
        server = stack.enter_context(real(OLLAMA_MAX_LOADED_MODELS="1"))
        file = Path(stack.enter_context(tempfile.TemporaryDirectory()), "heat.json")
        file.write_text(calm().to_json())
        for way, lose in WAYS_OUT.items():
            shut, written = [], []
            for _ in range(settings.repetitions):
                with keeping(server, "--heat-file", str(file), **_pod(api)) as keeper:
                    if api:
                        api.until_open()
                    lost, seen = losing(server, keeper, lose)
                    shut.append(max(0.0, seen - lost))
                    if api and seen < math.inf:
                        written.append(max(0.0, api.shut_at() - lost))
                    keeper.until_ready()  # its load would else be aborted with it
            times(f"{way} -> /readyz says no", shut, 50)
            if written:
                times(f"{way} -> the write has arrived", written, 50)


def _pod(api: ApiServer | None) -> dict[str, str]:
    return api.environment() if api else {}


def losing(server: Ollama, keeper: Sidecar, lose: Loss) -> tuple[float, float]:
    """When the runner had ended, and when the gate was seen shut."""
    pid = server.settled_runner()
    ended = end_of(pid)
    thread = threading.Thread(target=lose, args=(server, pid))
    thread.start()
    seen = shut_at(keeper)
    lost = ended()
    thread.join()
    return lost, seen


def seen_by_polls(settings: Settings) -> None:
    """What no process tells: the model has gone from the list."""
    shut = []
    with real() as server:
        for _ in range(settings.repetitions):
            with keeping(server, "--no-processes", *QUIET) as keeper:
                server.unload("tiny")
                gone = moment(lambda: wait_for("its end", lambda: "tiny" not in server.ps()))
                seen = shut_at(keeper)
                shut.append(max(0.0, seen - gone()))
                keeper.until_ready()
    limit = 1000 * HEARTBEAT_SECONDS + 100
    times("left the list, processes out of sight -> shut", shut, limit)


def out_of_sight(settings: Settings) -> None:
    """A crash that only a canary can notice: every 2 s here, with 2 s for its answer."""
    noticed = []
    with real() as server:
        for _ in range(min(settings.repetitions, 10)):
            with keeping(server, "--no-processes", *CANARY) as keeper:
                # Just after a canary, so that no request of its own tells by chance.
                wait_for("a canary", lambda seen=keeper: canaries(seen), seconds=30)  # type: ignore[misc]
                server.processes.signal(server.settled_runner(), signal.SIGKILL)
                killed = time.monotonic()
                noticed.append(shut_at(keeper) - killed)
                keeper.until_ready()
    times("killed, processes out of sight -> shut", noticed, 1000 * (2 + 2))


def canaries(keeper: Sidecar) -> int:
    sent: int = keeper.status()["counters"]["canaries"]
    return sent


def hang(settings: Settings) -> None:
    """The runner is stopped while it answers."""
    shut, hot, load = [], [], 0.0
    with real() as server:
        for _ in range(min(settings.repetitions, 10)):
            with keeping(server, *QUIET) as keeper, server.talking("tiny") as lines:
                next(lines)
                server.processes.signal(server.settled_runner(), signal.SIGSTOP)
                stopped = time.monotonic()
                shut.append(shut_at(keeper) - stopped)
                keeper.until_ready()
                hot.append(time.monotonic() - stopped - shut[-1])
                load = keeper.status()["coldStart"]["loadSeconds"]
    times("runner stopped, request open -> shut", shut, 2000)
    times("... -> hot again", hot, 1000 + 1000 * load)
    note(f"one load takes {1000 * load:.0f} ms here")


def server_stopped(settings: Settings) -> None:
    """Ollama itself is stopped, in a pod whose entry script the sidecar can tell to restart it."""
    for what, pod in (("tiny model", _real_pod), ("simulator", _simulated_pod)):
        found = []
        for _ in range(min(settings.repetitions, 5)):
            with pod() as (container, keeper):
                found.append(stopping(container, keeper))
        shut, hot, loads = (list(each) for each in zip(*found, strict=True))
        times(f"server stopped ({what}) -> shut", shut, 2000)
        times("... -> restarted, loaded, hot again", hot, 1000 + 1000 * max(loads))
        note(f"one load takes {1000 * max(loads):.0f} ms there; restart and warm-up are on top")


@contextmanager
def _real_pod() -> Iterator[tuple[RealContainer, Sidecar]]:
    with running(RealContainer, {"tiny": models.tiny()}) as container:
        server = Ollama(container)
        hands = ("--hands", str(container.hands))
        with server.http, keeping(server, *QUIET, *hands) as keeper:
            yield container, keeper


@contextmanager
def _simulated_pod() -> Iterator[tuple[Container, Sidecar]]:
    options = ("--model", "llama3.2", "--speed", "1")
    folder = tempfile.TemporaryDirectory(prefix="stoker-bench-")
    with folder as name, in_pod(Path(name), *options) as pod:
        keeper = pod.sidecar()
        keeper.until_ready()
        yield pod.container, keeper


def stopping(container: Container | RealContainer, keeper: Sidecar) -> tuple[float, float, float]:
    """When the gate was shut, how much later it was open again, and what a load takes."""
    load = keeper.status()["coldStart"]["loadSeconds"]
    os.kill(ollama_of(container.pid), signal.SIGSTOP)
    stopped = time.monotonic()
    shut = shut_at(keeper)
    container.start_again()
    keeper.until_ready()
    return shut - stopped, time.monotonic() - shut, load


def ollama_of(script: int) -> int:
    """The server that the entry script has started."""
    children = Path(f"/proc/{script}/task/{script}/children").read_text().split()
    commands = {int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children}
    return next(pid for pid, command in commands.items() if b"serve" in command.split(b"\0"))
