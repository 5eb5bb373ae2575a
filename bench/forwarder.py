"""What the local address of `stoker up` adds to a request: `python -m bench.forwarder`.

The same small request goes to a server on loopback, on a connection of its own each time, by turns
directly and through the forwarder, so that whatever else the machine does falls on both alike. The
server answers at once and does nothing else. Needs PYTHONPATH=tests.
"""

import argparse
import asyncio
import multiprocessing
import socket
import statistics
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import table

from contract.local.stand import Stand, standing

LIMIT_MS = 0.2
ROUNDS = 20_000
_REQUEST = b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"
_ANSWER = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
_LOTS = 500_000_000
_PART = 1024 * 1024


def _serve(listener: socket.socket) -> None:
    """Answers one client after another, as often as each asks."""
    while True:
        connection, _ = listener.accept()
        with connection:
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            while request := connection.recv(4096):
                if request.startswith(b"GET /lots"):
                    for _ in range(_LOTS // _PART):
                        connection.sendall(bytes(_PART))
                else:
                    connection.sendall(_ANSWER)


@contextmanager
def _server() -> Iterator[int]:
    """Its port, while it runs: in a process of its own, as any Ollama."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        process = multiprocessing.get_context("fork").Process(target=_serve, args=(listener,))
        process.start()
        try:
            yield int(listener.getsockname()[1])
        finally:
            process.terminate()
            process.join()


def _asked(port: int) -> float:
    """How long one request takes, from the connection to the answer."""
    began = time.perf_counter()
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        connection.sendall(_REQUEST)
        connection.recv(4096)
        return time.perf_counter() - began


def _kept(port: int, rounds: int) -> list[float]:
    """How long requests take on a connection that is kept."""
    took = []
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for _ in range(rounds):
            began = time.perf_counter()
            connection.sendall(_REQUEST)
            connection.recv(4096)
            took.append(time.perf_counter() - began)
    return took


def _throughput(port: int) -> float:
    """Bytes in a second."""
    began, left = time.perf_counter(), _LOTS // _PART * _PART
    with socket.create_connection(("127.0.0.1", port)) as connection:
        connection.sendall(b"GET /lots HTTP/1.1\r\n\r\n")
        while left:
            left -= len(connection.recv(_PART))
    return _LOTS / (time.perf_counter() - began)


def _cpu_seconds(pid: int) -> float:
    return int(Path(f"/proc/{pid}/schedstat").read_text().split()[0]) / 1e9


def _compare(what: str, direct: list[float], through: list[float]) -> None:
    added = (statistics.median(through) - statistics.median(direct)) * 1000
    ratio = statistics.median(through) / statistics.median(direct)
    remark = (
        f"median {statistics.median(direct) * 1000:.3f} -> {statistics.median(through) * 1000:.3f}"
        f" ms, {ratio:.1f} times; {len(direct)} each, by turns"
    )
    table.row(f"added to the median request, {what}", added, "ms", LIMIT_MS, remark)


def measure(stand: Stand, rounds: int) -> None:
    """All figures, in the order in which they are told."""
    ports = (int(str(stand.replicas[0].order["port"])), stand.port)
    before = _cpu_seconds(stand.process.pid)
    pairs = [(_asked(ports[0]), _asked(ports[1])) for _ in range(rounds)]
    spent = (_cpu_seconds(stand.process.pid) - before) / rounds * 1e6
    _compare("a new connection", [each for each, _ in pairs], [each for _, each in pairs])
    table.note(f"processor time of the forwarder: {spent:.0f} us for each, its end included")
    kept: tuple[list[float], list[float]] = ([], [])
    for _ in range(20):
        for took, port in zip(kept, ports, strict=True):
            took.extend(_kept(port, rounds // 20))
    _compare("a kept connection", *kept)
    rates = [_throughput(port) / 1e6 for port in ports]
    table.note(f"one long answer: {rates[0]:.0f} MB/s directly, {rates[1]:.0f} MB/s through it")


async def main() -> None:
    """Runs it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=ROUNDS, help="requests (%(default)s)")
    rounds = parser.parse_args().rounds
    with _server() as port:
        await _measured(port, rounds)


async def _measured(port: int, rounds: int) -> None:
    async def nobody(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
        raise AssertionError("the server of the bench is another")

    async with standing(nobody) as stand:
        stand.replicas[0].order["port"] = port
        stand.tell(stand.replicas)
        await stand.become(True)  # noqa: FBT003
        await asyncio.to_thread(measure, stand, rounds)


if __name__ == "__main__":
    asyncio.run(main())
