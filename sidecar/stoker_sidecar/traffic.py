"""What Ollama's connections tell: how many there are, and in how many something is under way.

Pure: connections in, `Traffic` out. Seen on Ollama 0.17.4 with `ss -tni`:

- The server asks its runner over HTTP/1.1 on 127.0.0.1. It keeps a connection for the next request,
  takes another one for a request that comes meanwhile, and closes one on which an answer ended
  before its time. Before each request it asks `/health` on the same connection.
- The connections of an idle model are silent.
- During a prefill nothing moves, for 38 s in one case, the kernels' keep-alive probes aside (every
  15 s from the runner's end, 30 s from the server's). Then each token moves about a hundred bytes
  from the runner to the server, and from there to the client.
- When the runner is stopped in the middle of an answer, all connections stand still, and look as
  they do after a whole answer. Bytes do not tell the two apart. `expires_at` does: it moves when an
  answer is whole, and only then.
- A request to a stopped runner waits behind a `/health` that is not answered.

So a request *waits* on a connection when the last bytes went towards the one who has to answer. The
kernel tells when bytes last went either way, in ticks of 1 to 10 ms. That is not enough where a
`/health` is answered and the request follows within a tick, as it always does on an idle machine.
There the confirmation decides: an answer carries that of its request, but a request without an
answer is confirmed by itself, some 40 ms later. Where even that came in the same tick, nothing is
known, and the request is not counted.

A client that does not read holds up more than itself: when the kernel takes no more for it, the
server no longer reads from the runner, and the runner computes for nobody. Its connection tells:
bytes wait on it that it has not confirmed.

A slow answer, a token in many seconds, looks whole between two tokens. The work of the runner gives
it away, which is why `is_drained` asks for that.
"""

from collections.abc import Iterable, Sequence
from collections.abc import Set as AbstractSet
from typing import NamedTuple

from stoker_sidecar.heat.observation import Traffic
from stoker_sidecar.inet_diag import ESTABLISHED, LISTEN, Connection

JUST_NOW_MS = 1000
"""Bytes that moved within this time have just moved."""

_LATEST_CONFIRMATION_MS = 1000
"""No kernel waits as long with the confirmation of what it has received. A later one is a
keep-alive probe's, the first of which comes after 15 s."""


_NOTHING_DELIVERED = 1
"""The opening of a connection counts as one byte at the end that opened it."""


class Ports(NamedTuple):
    """Where Ollama listens."""

    server: int
    runner: int | None


class Ledger:
    """Turns the connections of one look after the other into `Traffic`.

    It remembers them between two looks: to go on counting when one has ended (what it moved after
    the last look is lost), and to go on knowing that a request waits when a probe has overwritten
    what told so.
    """

    def __init__(self) -> None:
        self._to_clients = _Meter()
        self._from_runner = _Meter()
        self._unanswered: set[tuple[int, int, int]] = set()
        """Connections to the runner on which a request waited at the last look."""

    def enter(
        self, connections: Sequence[Connection], own_inodes: AbstractSet[int], ports: Ports
    ) -> Traffic | None:
        """What the connections tell; None where nobody listens on the server's port."""
        if not any(each.state == LISTEN for each in connections):
            return None
        clients = _clients(connections, own_inodes, ports.server)
        to_runner = [each for each in connections if each.remote_port == ports.runner]
        runner_bytes = self._from_runner.read(to_runner, "received")
        waiting = self._waiting(to_runner)
        silent_ms = max((each.sent_ago_ms for each in waiting), default=None)
        return Traffic(
            open=len(clients),
            busy=sum(map(is_busy, clients)),
            bytes_to_clients=self._to_clients.read(clients, "delivered"),
            runner_bytes=None if ports.runner is None else runner_bytes,
            runner_requests=None if ports.runner is None else len(waiting),
            silent_seconds=None if silent_ms is None else silent_ms / 1000,
            untaken=sum(each.unsent > 0 for each in clients),
        )

    def _waiting(self, to_runner: Sequence[Connection]) -> list[Connection]:
        """Those on which a request waits for its first byte."""
        waiting = [
            each for each in to_runner if _mark(each) in self._unanswered or is_unanswered(each)
        ]
        self._unanswered = {_mark(each) for each in waiting}
        return waiting


class _Meter:
    """The bytes of connections that come and go, as one number that only grows."""

    def __init__(self) -> None:
        self._total = 0
        self._read: dict[int, int] = {}

    def read(self, connections: Iterable[Connection], figure: str) -> int:
        now = {each.cookie: getattr(each, figure) for each in connections}
        self._total += sum(count - self._read.get(cookie, 0) for cookie, count in now.items())
        self._read = now
        return self._total


def _mark(connection: Connection) -> tuple[int, int, int]:
    """A connection as long as nothing moves on it."""
    return (connection.cookie, connection.delivered, connection.received)


def is_busy(client: Connection) -> bool:
    """Whether a request waits for its answer on this connection, or bytes have just moved.

    The connection is seen from the server's end.
    """
    if client.unread or client.unsent:
        return True
    if not client.received:
        return False
    if min(client.sent_ago_ms, client.received_ago_ms) < JUST_NOW_MS:
        return True
    return not client.delivered or client.received_ago_ms < client.sent_ago_ms


def is_unanswered(to_runner: Connection) -> bool:
    """Whether a request waits for the first byte of its answer on this connection.

    The connection is seen from the end that asks. See above for what the confirmation tells.
    """
    if to_runner.unsent:
        return True
    if not to_runner.received:
        return to_runner.delivered > _NOTHING_DELIVERED
    if to_runner.sent_ago_ms != to_runner.received_ago_ms:
        return to_runner.sent_ago_ms < to_runner.received_ago_ms
    later_ms = to_runner.received_ago_ms - to_runner.confirmed_ago_ms
    return 0 < later_ms <= _LATEST_CONFIRMATION_MS


def is_drained(before: Traffic, after: Traffic, *, is_working: bool) -> bool:
    """Whether no client loses anything if Ollama ends now.

    The two looks are a second apart or more, and nothing was under way from one to the other.
    `is_working`: whether the runner computes, on the processor or on a GPU.
    """
    if is_working or before.busy or after.busy or after.runner_requests:
        return False
    moved = (before.bytes_to_clients, before.runner_bytes)
    return moved == (after.bytes_to_clients, after.runner_bytes)


def _clients(
    connections: Sequence[Connection], own_inodes: AbstractSet[int], port: int
) -> list[Connection]:
    """The server's ends of its clients' connections, without those that the sidecar opened.

    Of a connection within one machine the kernel tells both ends. An inode is known of one's own
    end only, so the other one is found by its addresses.
    """
    own = {
        (each.remote, each.local)
        for each in connections
        if each.remote_port == port and each.inode in own_inodes
    }
    return [
        each
        for each in connections
        if each.local_port == port
        and each.state == ESTABLISHED
        and (each.local, each.remote) not in own
    ]
