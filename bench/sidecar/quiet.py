"""What the sidecar takes, what it asks, and whether it stays calm."""

import contextlib
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path

import httpx
from bench.sidecar.beside import bare, cpu_seconds, keeping, memory_mib, real
from bench.sidecar.standins import ApiServer, CountingProxy
from bench.table import Settings, note, row, times

from bed import models, ollama
from contract.ollama.api import Ollama
from contract.simulator import serving as simulator
from nvml.library import stub_folder
from stoker_sidecar.config import defaults
from stoker_sidecar.metrics import MOST_SERIES
from support.sidecars import QUIET, Sidecar, sidecar
from support.waiting import wait_for

SCRAPES = 500
"""The kernel counts processor time in hundredths of a second."""

SMALL = ("--model", "tinyllama=1MB", "--gpu-memory", "24GiB")


def size(settings: Settings) -> None:
    """Memory and processor time, with a GPU to measure and somebody who scrapes."""
    with tempfile.TemporaryDirectory(prefix="stoker-bench-") as name, ExitStack() as stack:
        folder = Path(name)
        state = folder / "nvml.json"
        serving = simulator.serving({}, options=(*SMALL, "--nvml-state", str(state)))
        server = stack.enter_context(serving)
        driver = {"LD_LIBRARY_PATH": str(stub_folder()), "STOKER_NVML_STATE": str(state)}
        flags = ("--model", "tinyllama", "--gpus", "1")
        pid, url = stack.enter_context(bare(folder, server.base_url, *flags, **driver))
        http = stack.enter_context(httpx.Client(base_url=url))
        wait_for("a measured GPU", lambda: http.get("/status").json()["gpus"], seconds=30)
        over = f"over {settings.seconds:g} s, simulator idle"
        row("processor time", milli_cores(pid, settings.seconds), "mcpu", 10, over)
        scraped = milli_cores(pid, settings.seconds, lambda: http.get("/metrics"))
        row("processor time, scraped each second", scraped, "mcpu", None, over)
        row("processor time of a scrape", scrape_ms(pid, http), "ms", 2, f"mean of {SCRAPES}")
        row("series, with one GPU", len(series(http)), "", MOST_SERIES)
        row("resident memory", memory_mib(pid, "VmRSS"), "MiB", 40, "with the NVML stub, scraped")
        row("resident memory, most", memory_mib(pid, "VmHWM"), "MiB", 40)


def scrape_ms(pid: int, http: httpx.Client) -> float:
    """What a scrape takes of the processor, with all that HTTP takes in the sidecar."""
    before = cpu_seconds(pid)
    for _ in range(SCRAPES):
        http.get("/metrics").raise_for_status()
    return 1000 * (cpu_seconds(pid) - before) / SCRAPES


def series(http: httpx.Client) -> list[str]:
    """What a scrape tells, without what is said about it."""
    return [line for line in http.get("/metrics").text.splitlines() if not line.startswith("#")]


def milli_cores(pid: int, seconds: float, each_second: Callable[[], object] = int) -> float:
    """The processor time of a process, over so many seconds."""
    before, began = cpu_seconds(pid), time.monotonic()
    while (took := time.monotonic() - began) < seconds:
        each_second()
        time.sleep(min(1.0, seconds - took))
    return 1000 * (cpu_seconds(pid) - before) / took


def restart(settings: Settings) -> None:
    """A sidecar that starts beside a hot model."""
    with real() as server:
        with keeping(server, *QUIET):
            pid = server.settled_runner()
        opened = []
        for _ in range(min(settings.repetitions, 20)):
            began = time.monotonic()
            with keeping(server, *QUIET):
                opened.append(time.monotonic() - began)
        if server.settled_runner() != pid:
            raise SystemExit("a sidecar that started beside a hot model has loaded it again")
        times("sidecar's start beside a hot Ollama -> gate open", opened, 1000)


def idle(settings: Settings) -> None:
    """What a model that stays hot is asked, and the API server told, with the default canaries."""
    with ExitStack() as stack:
        api = stack.enter_context(ApiServer.running()) if settings.mounts else None
        server = stack.enter_context(real())
        proxy = stack.enter_context(CountingProxy.before(server.processes.base_url))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="stoker-bench-")))
        heat = defaults(uses_gpu=False)
        file = folder / "heat.json"
        file.write_text(heat.to_json())
        pid = str(server.processes.pid)
        flags = ("--model", "tiny", "--ollama-pid", pid, "--heat-file", str(file))
        pod = api.environment() if api else {}
        keeper = stack.enter_context(sidecar(folder, proxy.url, *flags, **pod))
        keeper.until_ready()
        if api:
            api.until_open()
            api.forget()
        proxy.forget()
        time.sleep(settings.seconds)
        asked, told = proxy.asked(), api.asked() if api else None
    canary = heat.heartbeat.canary.idle_after_seconds
    over = f"in {settings.seconds:g} idle s"
    row("requests that load or renew the keep-alive", asked["loads"], "", 0, over)
    row("canaries", asked["prompts"], "", settings.seconds // canary, over)
    row("looks at Ollama (GET, /api/show)", asked["looks"], "", None, over)
    if told is not None:
        row("writes to the API server", told["writes"], "", 0, over)
        row("looks at the API server, which write nothing", told["looks"], "", None, over)


def saturated(settings: Settings) -> None:
    """Long prompts, more at a time than are answered, on the big model and all cores."""
    answered: list[float] = []
    with ollama.serving({"tiny": models.big()}, {"OLLAMA_CONTEXT_LENGTH": "4096"}) as running:
        server = Ollama(running)
        with server.http, keeping(server) as keeper:
            askers = [
                threading.Thread(target=ask_for_long, args=(running.base_url, answered))
                for _ in range(2)
            ]
            for asker in askers:
                asker.start()
            runner = server.settled_runner()
            before = cpu_seconds(runner)
            shut = times_shut(keeper, settings.saturate)
            cores = (cpu_seconds(runner) - before) / settings.saturate
            if not all(asker.is_alive() for asker in askers):
                raise SystemExit("a client gave up: the model was not saturated all the time")
            reasons = ", ".join(sorted(set(keeper.reasons())))
    for asker in askers:
        asker.join()  # its server is gone
    slowest = f", the slowest after {max(answered):.0f} s" if answered else ""
    remark = f"in {settings.saturate:g} s; {len(answered)} answers begun{slowest}"
    row("gate closures under saturation", shut, "", 0, remark)
    note(f"the runner had {cores:.2f} cores on average; reasons given: {reasons}")


def times_shut(keeper: Sidecar, seconds: float) -> int:
    """How often heat was lost, or the gate found shut, in this time."""
    found, until = 0, time.monotonic() + seconds
    while time.monotonic() < until:
        found += not keeper.is_ready()
        time.sleep(0.05)
    losses: int = keeper.status()["counters"]["heatLosses"]
    return max(losses, found)


def ask_for_long(url: str, answered: list[float]) -> None:
    """Asks with some 2,048 tokens until the server ends; how long each first byte takes."""
    with httpx.Client(base_url=url, timeout=600) as client, contextlib.suppress(httpx.HTTPError):
        while True:
            began = time.monotonic()
            # Another beginning each time, so that nothing of the prompt has been read before.
            body = {"model": "tiny", "prompt": f"{began} " + "hi " * 2040}
            with client.stream("POST", "/api/generate", json=body) as answer:
                next(answer.iter_lines())
                answered.append(time.monotonic() - began)
