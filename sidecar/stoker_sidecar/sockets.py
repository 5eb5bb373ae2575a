"""Ollama's connections, as the kernel lists them: netlink's `sock_diag`, which needs no privilege.

The kernel answers while it is asked, so nothing here waits. It lists the connections of one network
namespace: the sidecar's, which is the pod's.

A look makes the kernel walk through its table of connections, and costs a few microseconds more for
each connection of Ollama's. All others the kernel leaves out.
"""

import itertools
import os
import socket

from stoker_sidecar.heat.observation import Traffic
from stoker_sidecar.inet_diag import (
    ESTABLISHED,
    LISTEN,
    Connection,
    DiagError,
    Field,
    parse,
    question,
)
from stoker_sidecar.traffic import Ledger, Ports

_SOCK_DIAG = 4
"""NETLINK_SOCK_DIAG, which Python does not name."""

_DATAGRAM_BYTES = 32768
"""The most that the kernel puts into one."""

_MOST_CONNECTIONS = 50_000

_NO_LISTENER = "nobody listens on port {} in the sidecar's network namespace"

_OWN_FILES = "/proc/self/fd"


class OllamaConnections:
    """A view of Ollama's connections, without the sidecar's own."""

    def __init__(self, server_port: int) -> None:
        self.out_of_sight: str | None = "nobody has looked yet"
        """Why the connections cannot be seen, in a sentence for a person."""
        self._server_port = server_port
        self._ledger = Ledger()
        self._sequence = itertools.count(1)
        self._netlink: socket.socket | None = None
        self._to_server: set[int] = set()
        self._own_inodes: set[int] = set()

    def look(self, runner_port: int | None) -> Traffic | None:
        """The connections as they are now; None when they are out of sight.

        `runner_port` is where this model's runner listens, if that is known.
        """
        ports = Ports(self._server_port, runner_port)
        traffic = None
        try:
            connections = self._connections(ports)
            traffic = self._ledger.enter(connections, self._own(connections), ports)
            self.out_of_sight = None if traffic else _NO_LISTENER.format(ports.server)
        except DiagError as error:
            self._give_up(str(error))
        except OSError as error:
            self._give_up(f"the kernel does not list connections: {error.strerror}")
        return traffic

    def close(self) -> None:
        if self._netlink:
            self._netlink.close()
            self._netlink = None

    def _give_up(self, reason: str) -> None:
        self.out_of_sight = reason
        # The rest of an answer may still lie in the socket.
        self.close()

    def _connections(self, ports: Ports) -> list[Connection]:
        wanted = [(Field.LOCAL_PORT, ports.server), (Field.REMOTE_PORT, ports.server)]
        if ports.runner is not None:
            wanted.append((Field.REMOTE_PORT, ports.runner))
        netlink, sequence = self._opened(), next(self._sequence)
        netlink.send(question((ESTABLISHED, LISTEN), wanted, sequence))
        found: list[Connection] = []
        while len(found) < _MOST_CONNECTIONS:
            batch = parse(netlink.recv(_DATAGRAM_BYTES), sequence)
            found += batch.connections
            if batch.is_last:
                return found
        raise DiagError(f"there are more than {_MOST_CONNECTIONS} connections")

    def _own(self, connections: list[Connection]) -> set[int]:
        """The inodes of the sidecar's own sockets, if only of those among these connections.

        They are looked up when there is a new connection to the server: it may be the sidecar's.
        """
        to_server = {each.cookie for each in connections if each.remote_port == self._server_port}
        if not to_server <= self._to_server:
            self._own_inodes = own_inodes()
        self._to_server = to_server
        return self._own_inodes

    def _opened(self) -> socket.socket:
        if self._netlink is None:
            kind = socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC
            self._netlink = socket.socket(socket.AF_NETLINK, kind, _SOCK_DIAG)
            # To the kernel and from nobody else: others' messages do not reach a connected one.
            self._netlink.connect((0, 0))
        return self._netlink


def own_inodes() -> set[int]:
    """The inodes of this process's own sockets."""
    # Each link reads `socket:[INODE]`, or names a file of another kind.
    links = (_target(f"{_OWN_FILES}/{name}") for name in os.listdir(_OWN_FILES))  # noqa: PTH208
    return {int(link[8:-1]) for link in links if link.startswith("socket:[")}


def _target(path: str) -> str:
    try:
        return os.readlink(path)  # noqa: PTH115 - see procfs.py: no Path for each of many files
    except FileNotFoundError:
        return ""  # the listing's own file, closed by now
