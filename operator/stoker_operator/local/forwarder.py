"""The stable address before the replicas of one LLMDeployment: TCP, to hot ones only.

A process of its own, which `stoker up` gives two open files: a socket that is bound to the address,
and a pipe with orders. An order is a line of JSON: the replicas that there are. What is hot, their
sidecars tell it directly (`GET /heat`).

- While none is hot the socket does not listen: the kernel refuses at once, and nobody hangs. It
  stays bound, so that nobody else takes the port.
- A new connection goes to the hot replica with the fewest; to those with as few, by turns.
- Bytes go as they come, both ways, each way with its own end. Who does not read is not written to,
  and then nobody is read from.
- A replica that is no longer hot keeps its connections: answers under way are to arrive. Those to
  one that has died end as they would without a forwarder: an end for an end, a reset for a reset.
"""

import argparse
import asyncio
import errno
import json
import logging
import os
import resource
import socket
import sys
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from stoker_api import logs
from stoker_operator.local.following import follow
from stoker_operator.local.link import End, Link, close, is_connected, prepare
from stoker_operator.local.listener import start_listening, stop_listening

_log = logging.getLogger(__name__)

_ACCEPTED_AT_ONCE = 64
_PAUSE_SECONDS = 0.1
"""How long no connection is accepted when there are no files left for one."""


@dataclass(frozen=True)
class Target:
    """A replica, as the forwarder knows it."""

    name: str
    host: str
    port: int
    sidecar_port: int


class Forwarder:
    """Accepts while a replica is hot."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._listens = False
        self._loop = asyncio.get_running_loop()
        self._following: dict[Target, asyncio.Task[None]] = {}
        self._hot: dict[Target, None] = {}
        self._open: Counter[Target] = Counter()

    def take(self, targets: Sequence[Target]) -> None:
        """Follows these replicas, and no others any more."""
        for target in self._following.keys() - set(targets):
            self._following.pop(target).cancel()
            self._became(target, hot=False)
        for target in targets:
            if target not in self._following:
                self._following[target] = asyncio.create_task(self._follow(target))

    def close(self) -> None:
        self.take(())

    async def _follow(self, target: Target) -> None:
        async for event in follow(target.sidecar_port):
            self._became(target, hot=event is not None and event.hot)

    def _became(self, target: Target, *, hot: bool) -> None:
        if hot == (target in self._hot):
            return
        if hot:
            self._hot[target] = None
        else:
            del self._hot[target]
        self._listen(wanted=bool(self._hot))

    # --- accepting ------------------------------------------------------------------------------

    def _listen(self, *, wanted: bool) -> None:
        if wanted == self._listens:
            return
        self._listens = wanted
        if wanted:
            start_listening(self._listener)
            self._loop.add_reader(self._listener, self._accept)
        else:
            self._loop.remove_reader(self._listener)
            stop_listening(self._listener)
        _log.info("address open" if wanted else "address closed")

    def _accept(self) -> None:
        for _ in range(_ACCEPTED_AT_ONCE):
            try:
                client, _ = self._listener.accept()
            except (BlockingIOError, ConnectionError):
                return
            except OSError as error:
                self._pause(error)
                return
            prepare(client)
            targets = sorted(self._hot, key=self._open.__getitem__)
            if targets:  # among those with as few, the next one is whose turn was longest ago
                self._hot[targets[0]] = self._hot.pop(targets[0])
            self._connect(client, targets)

    def _pause(self, error: OSError) -> None:
        """Too many files are open: connections wait until there is room."""
        _log.warning("connection not accepted", extra={"sentence": str(error)})
        self._loop.remove_reader(self._listener)
        self._loop.call_later(_PAUSE_SECONDS, self._resume)

    def _resume(self) -> None:
        if self._listens:
            self._loop.add_reader(self._listener, self._accept)

    # --- connecting -----------------------------------------------------------------------------

    def _connect(self, client: socket.socket, targets: Sequence[Target]) -> None:
        """Connects the client to the first of these that takes it."""
        if not targets:
            close(client, End.BROKEN)
            return
        target, *others = targets
        try:
            server = socket.socket()
        except OSError as error:  # too many files are open
            _log.warning("replica not reached", extra={"sentence": str(error)})
            close(client, End.BROKEN)
            return
        prepare(server)

        def connected() -> None:
            self._loop.remove_writer(server)
            if server.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
                server.close()
                self._connect(client, others)
            else:
                self._link(client, server, target)

        code = server.connect_ex((target.host, target.port))
        if code == 0 or is_connected(server):
            self._link(client, server, target)
        elif code == errno.EINPROGRESS:
            self._loop.add_writer(server, connected)
        else:
            server.close()
            self._connect(client, others)

    def _link(self, client: socket.socket, server: socket.socket, target: Target) -> None:
        self._open[target] += 1

        def closed() -> None:
            self._open[target] -= 1
            if not self._open[target]:
                del self._open[target]

        Link(client, server, closed).begin()


# --- the process --------------------------------------------------------------------------------


async def run(listener: socket.socket, orders: int) -> None:
    """Forwards until the orders end."""
    forwarder = Forwarder(listener)
    reader = asyncio.StreamReader()
    pipe = os.fdopen(orders, "rb", buffering=0)
    await asyncio.get_running_loop().connect_read_pipe(
        lambda: asyncio.StreamReaderProtocol(reader), pipe
    )
    while line := await reader.readline():
        forwarder.take([Target(**each) for each in json.loads(line)])
    forwarder.close()


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the process; it is `stoker up` that starts it."""
    parser = argparse.ArgumentParser(description="Forwards TCP to hot replicas, for `stoker up`.")
    parser.add_argument("--listener", type=int, required=True, help="the open file of the socket")
    parser.add_argument("--orders", type=int, required=True, help="the open file of the orders")
    parsed: Any = parser.parse_args(arguments)
    logs.start("text", "info")
    _, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, most))
    listener = socket.socket(fileno=parsed.listener)
    listener.settimeout(0)
    asyncio.run(run(listener, parsed.orders))
    return 0


if __name__ == "__main__":
    sys.exit(main())
