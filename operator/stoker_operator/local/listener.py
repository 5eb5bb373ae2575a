"""A port that is kept while nobody listens on it.

A socket that is bound and does not listen has its port to itself, and the kernel refuses whoever
connects. On Linux it can begin to listen, stop, and begin again.
"""

import contextlib
import errno
import random
import socket
from collections.abc import Collection

from stoker_operator.errors import StokerError

_BACKLOG = 1024
_PORTS = range(20_000, 32_768)
"""Below those that Linux gives to outgoing connections: one of these could have the port of a
process that is just being started again."""


class PortTakenError(StokerError):
    """A port that somebody else has."""


def bound(host: str, port: int, *, was_ours: bool = False) -> socket.socket:
    """A socket bound to the address. `was_ours`: connections of before may linger there."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    listener.settimeout(0)
    try:
        _share(listener, wanted=was_ours)
        listener.bind((host, port))
    except OSError as error:
        listener.close()
        raise PortTakenError(f"{host}:{port} cannot be had: {error.strerror}") from error
    _share(listener, wanted=False)
    return listener


def free_port(host: str, taken: Collection[int] = ()) -> int:
    """A port that nobody has at this moment, and none of those that are spoken for."""
    for port in random.sample(_PORTS, len(_PORTS)):
        if port not in taken:
            with contextlib.suppress(PortTakenError):
                bound(host, port).close()
                return port
    raise PortTakenError(f"{host} has no free port from {_PORTS[0]} to {_PORTS[-1]}")


def start_listening(listener: socket.socket) -> None:
    """Accepts from now on."""
    # Beside connections that were accepted earlier, the kernel lets only who shares listen again.
    _share(listener, wanted=True)
    listener.listen(_BACKLOG)


def stop_listening(listener: socket.socket) -> None:
    """From now on the kernel refuses. The port stays ours, and nobody can share it."""
    try:
        listener.shutdown(socket.SHUT_RD)
    except OSError as error:
        if error.errno != errno.ENOTCONN:  # it did not listen
            raise
    _share(listener, wanted=False)


def _share(listener: socket.socket, *, wanted: bool) -> None:
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, int(wanted))
