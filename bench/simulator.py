"""How fast and how small the simulator is: `python bench/simulator.py`.

Each figure is taken on processes as a test starts them. Server and runner share one core; the
clients, all in this process, have another. The peer in the same run is an HTTP server that answers
the same bytes to everything and does nothing else: what the clients themselves can do.
"""

import asyncio
import http.client
import json
import os
import re
import statistics
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path

PACKAGE = Path(__file__).parents[1] / "tests" / "simulator"
REQUESTS = 3000
STARTS = 10
ROUNDS = 5
SIDE_BY_SIDE = 50

LOAD = {"model": "tinyllama"}
WORD = {"model": "tinyllama", "prompt": "hi", "stream": False, "options": {"num_predict": 1}}
SMALL = ("--model", "tinyllama=1MB")


@contextmanager
def simulator(
    *options: str, core: int | None = None
) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """A simulator and its port, on one core or on all."""
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-m", "stoker_simulator", *options],
        env={**os.environ, "PYTHONPATH": str(PACKAGE), "OLLAMA_HOST": "127.0.0.1:0"},
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=None if core is None else lambda: os.sched_setaffinity(0, {core}),  # noqa: PLW1509
    )
    assert process.stderr is not None  # noqa: S101 - for the type checker
    try:
        line = process.stderr.readline()
        found = re.search(r"Listening on [\d.]+:(\d+)", line)
        if found is None:
            raise SystemExit(f"the simulator did not start: {line}{process.stderr.read()}")
        yield process, int(found[1])
    finally:
        process.terminate()
        process.wait(10)


class Client(asyncio.Protocol):
    """Sends the same request again as soon as it is answered."""

    def __init__(self, body: Mapping[str, object], left: list[int], done: asyncio.Event) -> None:
        content = json.dumps(body).encode()
        head = f"POST /api/generate HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(content)}"
        self._request = head.encode() + b"\r\n\r\n" + content
        self._left = left
        self._done = done
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - for the type checker
        self._transport = transport
        transport.write(self._request)

    def data_received(self, data: bytes) -> None:
        if not data.startswith(b"HTTP/1.1 200") or not data.endswith(b"}"):
            raise SystemExit(f"not an answer: {data.decode()}")
        self._left[0] -= 1
        if self._left[0] <= 0:
            self._done.set()
        elif self._transport is not None:
            self._transport.write(self._request)


async def per_second(port: int, body: Mapping[str, object], clients: int) -> float:
    """Requests that are answered in a second, with so many clients at a time."""
    ask(port, body)
    done, left = asyncio.Event(), [REQUESTS]
    start = time.perf_counter()
    loop = asyncio.get_running_loop()
    for _ in range(clients):
        await loop.create_connection(lambda: Client(body, left, done), "127.0.0.1", port)
    await asyncio.wait_for(done.wait(), 60)
    return REQUESTS / (time.perf_counter() - start)


def rates_of(port: int, body: Mapping[str, object], clients: int) -> list[float]:
    return [asyncio.run(per_second(port, body, clients)) for _ in range(ROUNDS)]


def ask(port: int, body: Mapping[str, object]) -> None:
    """One request, answered."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    connection.request("POST", "/api/generate", json.dumps(body))
    answer = connection.getresponse()
    content = answer.read()
    connection.close()
    if answer.status != http.client.OK:
        raise SystemExit(f"{answer.status}: {content.decode()}")


def start_seconds() -> float:
    """From nothing to the first answer, that a model is not even loaded for."""
    start = time.perf_counter()
    with simulator(*SMALL) as (_, port):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        connection.request("GET", "/api/version")
        connection.getresponse().read()
        return time.perf_counter() - start


def resident_mib(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def children(pid: int) -> list[int]:
    text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in text.split()]


@contextmanager
def peer() -> Iterator[int]:
    """A server that answers the same to everything, in a process of its own on the same core."""
    code = (
        "import asyncio\n"
        "class P(asyncio.Protocol):\n"
        "    def connection_made(self, t): self.t = t\n"
        "    def data_received(self, d):\n"
        "        if d.rstrip().endswith(b'}'):\n"
        "            self.t.write(b'HTTP/1.1 200 OK\\r\\nContent-Length: 2\\r\\n\\r\\n{}')\n"
        "async def main():\n"
        "    s = await asyncio.get_running_loop().create_server(P, '127.0.0.1', 0)\n"
        "    print(s.sockets[0].getsockname()[1], flush=True)\n"
        "    await s.serve_forever()\n"
        "asyncio.run(main())\n"
    )
    process = subprocess.Popen(  # noqa: S603 - our own program
        [sys.executable, "-c", code],
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: os.sched_setaffinity(0, {0}),  # noqa: PLW1509
    )
    assert process.stdout is not None  # noqa: S101 - for the type checker
    try:
        yield int(process.stdout.readline())
    finally:
        process.terminate()
        process.wait(10)


def side_by_side() -> tuple[float, float]:
    """Seconds until so many have answered with a loaded model, and MiB each, its runner included.

    Shared pages count in the share of each process.
    """
    with ExitStack() as stack:
        start = time.perf_counter()
        ports: list[int] = []
        processes = []
        for _ in range(SIDE_BY_SIDE):
            process, port = stack.enter_context(simulator(*SMALL))
            processes.append(process)
            ports.append(port)
        threads = [threading.Thread(target=ask, args=(port, WORD)) for port in ports]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        seconds = time.perf_counter() - start
        pids = [pid for one in processes for pid in (one.pid, *children(one.pid))]
        shares = [Path(f"/proc/{pid}/smaps_rollup").read_text() for pid in pids]
        kib = sum(int(share.partition("\nPss:")[2].split()[0]) for share in shares)
        return seconds, kib / 1024 / SIDE_BY_SIDE


def main() -> None:
    os.sched_setaffinity(0, {1} if len(os.sched_getaffinity(0)) > 1 else {0})
    starts = [start_seconds() for _ in range(STARTS)]
    print(
        f"start to first answer   {min(starts):8.3f} s best, {statistics.median(starts):.3f} median"
    )
    with simulator(*SMALL, core=0) as (process, port):
        ask(port, LOAD)
        (runner,) = children(process.pid)
        rates = {
            "one client, empty prompt": rates_of(port, LOAD, 1),
            "one client, one word": rates_of(port, WORD, 1),
            "four clients, empty prompt": rates_of(port, LOAD, 4),
            "four clients, one word": rates_of(port, WORD, 4),
        }
        print(f"memory of the server         {resident_mib(process.pid):8.1f} MiB")
        print(f"memory of a runner           {resident_mib(runner):8.1f} MiB")
    with peer() as port:
        rates["the peer, one client"] = rates_of(port, WORD, 1)
        rates["the peer, four clients"] = rates_of(port, WORD, 4)
    for name, found in rates.items():
        print(f"{name:<28} {max(found):8.0f} best, {statistics.median(found):.0f} median a second")
    os.sched_setaffinity(0, set(range(os.cpu_count() or 1)))
    seconds, mib = side_by_side()
    print(f"{SIDE_BY_SIDE} side by side              {seconds:8.1f} s until all have answered")
    print(f"each of them, with a runner  {mib:8.1f} MiB")


if __name__ == "__main__":
    main()
