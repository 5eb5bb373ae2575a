"""What is made of Ollama's connections."""

import itertools
from typing import Any

import pytest

from stoker_sidecar.heat.observation import Traffic
from stoker_sidecar.inet_diag import ESTABLISHED, LISTEN, Connection
from stoker_sidecar.traffic import JUST_NOW_MS, Ledger, Ports, is_busy, is_drained, is_unanswered

SERVER = 11434
RUNNER = 40001
PORTS = Ports(SERVER, RUNNER)
LONG_MS = 60_000
TICK_MS = 4

cookies = itertools.count(1)


def connection(**fields: Any) -> Connection:
    """A connection that was made long ago, on which nothing has moved yet."""
    defaults: dict[str, Any] = dict.fromkeys(Connection._fields, 0) | {
        "family": 2,
        "state": ESTABLISHED,
        "local_address": bytes([127, 0, 0, 1]),
        "remote_address": bytes([127, 0, 0, 1]),
        "cookie": next(cookies),
        "sent_ago_ms": LONG_MS,
        "received_ago_ms": LONG_MS,
        "confirmed_ago_ms": LONG_MS,
    }
    return Connection(**defaults | fields)


def of_client(**fields: Any) -> Connection:
    return connection(local_port=SERVER, remote_port=next(cookies) + 50_000, **fields)


def to_runner(**fields: Any) -> Connection:
    opened = {"local_port": 60_000, "remote_port": RUNNER, "delivered": 1}
    return connection(**opened | fields)


LISTENER = connection(state=LISTEN, local_port=SERVER)


def entered(*connections: Connection, own: frozenset[int] = frozenset()) -> Traffic:
    return enter(Ledger(), *connections, own=own)


def enter(ledger: Ledger, *connections: Connection, own: frozenset[int] = frozenset()) -> Traffic:
    traffic = ledger.enter([LISTENER, *connections], own, PORTS)
    assert traffic is not None
    return traffic


# --- clients ------------------------------------------------------------------------------------

IDLE: list[tuple[str, dict[str, int]]] = [
    ("nothing was asked yet", {}),
    ("nothing was asked yet, on a new connection", {"sent_ago_ms": 0, "received_ago_ms": 0}),
    ("the answer came long ago", {"received": 9, "delivered": 9, "sent_ago_ms": LONG_MS - TICK_MS}),
    ("the answer came in the tick of its request", {"received": 9, "delivered": 9}),
]

BUSY: list[tuple[str, dict[str, int]]] = [
    ("the first request waits", {"received": 9}),
    ("a request waits", {"received": 9, "delivered": 9, "received_ago_ms": LONG_MS - TICK_MS}),
    ("bytes have just come", {"received": 9, "delivered": 9, "received_ago_ms": 0}),
    ("bytes have just gone", {"received": 9, "delivered": 9, "sent_ago_ms": JUST_NOW_MS - 1}),
    ("the server has not taken the request", {"received": 9, "unread": 9}),
    ("the client has not taken the answer", {"received": 9, "delivered": 9, "unsent": 9}),
]


@pytest.mark.parametrize("figures", [pytest.param(*each[1:], id=each[0]) for each in IDLE])
def test_a_client_is_idle_when(figures: dict[str, int]) -> None:
    assert not is_busy(of_client(**figures))


@pytest.mark.parametrize("figures", [pytest.param(*each[1:], id=each[0]) for each in BUSY])
def test_a_client_is_busy_when(figures: dict[str, int]) -> None:
    assert is_busy(of_client(**figures))


def test_clients_are_counted_open_and_busy() -> None:
    traffic = entered(of_client(), of_client(received=9), to_runner())
    assert (traffic.open, traffic.busy) == (2, 1)


def test_clients_that_have_not_taken_their_bytes_are_counted() -> None:
    slow = of_client(received=9, delivered=9, unsent=345_596)
    assert entered(slow, of_client(received=9, delivered=9)).untaken == 1


def test_the_sidecars_own_connections_are_nobodys() -> None:
    own = connection(local_port=50_000, remote_port=SERVER, inode=77)
    its_other_end = connection(local_port=SERVER, remote_port=50_000, received=9)
    stranger = connection(local_port=50_001, remote_port=SERVER, inode=78)
    strangers_other_end = connection(local_port=SERVER, remote_port=50_001, delivered=5)
    traffic = entered(own, its_other_end, stranger, strangers_other_end, own=frozenset({77}))
    assert (traffic.open, traffic.busy, traffic.bytes_to_clients) == (1, 0, 5)


def test_where_nobody_listens_nothing_is_known() -> None:
    assert Ledger().enter([of_client()], frozenset(), PORTS) is None


# --- the runner ---------------------------------------------------------------------------------

# As they were seen on Ollama 0.17.4.
AFTER_AN_ANSWER = {
    "received": 1557,
    "delivered": 1621,
    "sent_ago_ms": 1020,
    "received_ago_ms": 1012,
}
ANSWERED: list[tuple[str, dict[str, int]]] = [
    ("nothing was asked yet", {}),
    ("the answer has come", {**AFTER_AN_ANSWER, "confirmed_ago_ms": 1012}),
    ("an answer comes", {**AFTER_AN_ANSWER, "received_ago_ms": 0, "confirmed_ago_ms": 0}),
    (
        "the answer came in the tick of its request",
        {"received": 9, "delivered": 9, "confirmed_ago_ms": LONG_MS},
    ),
    (
        "a probe was confirmed long after the answer",
        {"received": 9, "delivered": 9, "confirmed_ago_ms": LONG_MS - 15_000},
    ),
]
UNANSWERED: list[tuple[str, dict[str, int]]] = [
    ("the first request waits", {"delivered": 102}),
    ("a request has not even been confirmed", {"received": 9, "unsent": 101}),
    ("a request waits", {"received": 9, "delivered": 102, "sent_ago_ms": LONG_MS - TICK_MS}),
    (
        "a request waits that was sent in the tick of an answer",
        {
            "received": 2166,
            "delivered": 3799,
            "sent_ago_ms": 3016,
            "received_ago_ms": 3016,
            "confirmed_ago_ms": 2972,
        },
    ),
]


@pytest.mark.parametrize("figures", [pytest.param(*each[1:], id=each[0]) for each in ANSWERED])
def test_the_runner_owes_nothing_when(figures: dict[str, int]) -> None:
    assert not is_unanswered(to_runner(**figures))


@pytest.mark.parametrize("figures", [pytest.param(*each[1:], id=each[0]) for each in UNANSWERED])
def test_the_runner_owes_an_answer_when(figures: dict[str, int]) -> None:
    assert is_unanswered(to_runner(**figures))


@pytest.mark.p(32)
def test_the_longest_wait_is_told_whatever_moves_beside_it() -> None:
    stuck = to_runner(delivered=102, sent_ago_ms=9000)
    later = to_runner(delivered=102, sent_ago_ms=2000)
    healthy = to_runner(delivered=102, received=9, sent_ago_ms=4, received_ago_ms=0)
    traffic = entered(stuck, later, healthy)
    assert traffic.runner_requests == 2
    assert traffic.silent_seconds == 9.0


def test_a_wait_is_remembered_when_a_probe_has_overwritten_what_told_of_it() -> None:
    ledger = Ledger()
    waits = to_runner(
        received=9, delivered=102, sent_ago_ms=500, received_ago_ms=500, confirmed_ago_ms=460
    )
    assert enter(ledger, waits).runner_requests == 1
    probed = waits._replace(sent_ago_ms=31_000, received_ago_ms=31_000, confirmed_ago_ms=0)
    for _ in range(2):
        traffic = enter(ledger, probed)
        assert (traffic.runner_requests, traffic.silent_seconds) == (1, 31.0)
    answered = probed._replace(received=99, received_ago_ms=0)
    assert enter(ledger, answered).runner_requests == 0


def test_bytes_are_counted_beyond_the_connections_that_moved_them() -> None:
    ledger = Ledger()
    first, second = to_runner(received=100), to_runner(received=10)
    assert enter(ledger, first).runner_bytes == 100
    assert enter(ledger, first._replace(received=150), second).runner_bytes == 160
    assert enter(ledger, second).runner_bytes == 160
    assert enter(ledger, second._replace(received=11)).runner_bytes == 161
    assert enter(ledger).runner_bytes == 161


def test_without_a_runners_port_its_part_is_unknown() -> None:
    traffic = Ledger().enter([LISTENER, of_client()], frozenset(), Ports(SERVER, None))
    assert traffic is not None
    assert (traffic.runner_bytes, traffic.runner_requests, traffic.silent_seconds) == (
        None,
        None,
        None,
    )


# --- draining -----------------------------------------------------------------------------------

QUIET = Traffic(open=3, busy=0, bytes_to_clients=50, runner_bytes=70, runner_requests=0)


def test_idle_connections_are_drained() -> None:
    assert is_drained(QUIET, QUIET, is_working=False)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        pytest.param({"busy": 1}, {}, id="a client was busy"),
        pytest.param({}, {"busy": 1}, id="a client is busy"),
        pytest.param({}, {"bytes_to_clients": 51}, id="something was answered"),
        pytest.param({}, {"runner_bytes": 71}, id="the runner has said something"),
        pytest.param({}, {"runner_requests": 1}, id="the runner owes an answer"),
    ],
)
def test_it_is_not_drained_when(before: dict[str, int], after: dict[str, int]) -> None:
    old = Traffic(**{**vars(QUIET), **before})
    new = Traffic(**{**vars(QUIET), **after})
    assert not is_drained(old, new, is_working=False)


def test_a_runner_that_works_may_be_between_two_tokens_of_a_slow_answer() -> None:
    assert not is_drained(QUIET, QUIET, is_working=True)
