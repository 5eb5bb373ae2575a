"""The kernel's messages about connections: what was recorded, and what nobody should send."""

import socket
import struct
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_sidecar.inet_diag import (
    ESTABLISHED,
    LISTEN,
    Batch,
    DiagError,
    Field,
    parse,
    question,
)

# What Linux 6.18 answered about a socket that listens and both ends of a connection to it, on
# which `hello` went one way and `world!!` came back 100 ms ago.
RECORDED = bytes.fromhex(Path(__file__).with_name("test_sockets_recorded.hex").read_text())
SEQUENCE = 7
PORT = 33033
HEADER = 16
SOCKET = 72

DONE = struct.pack("=IHHIIi", 20, 3, 2, SEQUENCE, 0, 0)


def error(number: int) -> bytes:
    return struct.pack("=IHHIIi16x", 36, 2, 0, SEQUENCE, 0, -number)


def test_a_recorded_answer_tells_three_sockets() -> None:
    batch = parse(RECORDED, SEQUENCE)
    listener, client, server = batch.connections
    assert not batch.is_last
    assert (listener.state, listener.local_port) == (LISTEN, PORT)
    assert client.state == server.state == ESTABLISHED
    assert (client.remote_port, server.local_port) == (PORT, PORT)
    assert (client.local, client.remote) == (server.remote, server.local)
    assert client.inode == 1151409
    assert len({listener.cookie, client.cookie, server.cookie}) == 3


def test_a_recorded_answer_tells_what_moved_and_when() -> None:
    _, client, server = parse(RECORDED, SEQUENCE).connections
    # The opening counts as one byte at the end that opened.
    assert (client.delivered, client.received) == (len(b"hello") + 1, len(b"world!!"))
    assert (server.delivered, server.received) == (len(b"world!!"), len(b"hello"))
    for end in (client, server):
        assert (end.sent_ago_ms, end.received_ago_ms, end.confirmed_ago_ms) == (100, 100, 100)
        assert (end.unread, end.unsent) == (0, 0)


def test_the_end_of_an_answer_is_told() -> None:
    assert parse(DONE, SEQUENCE) == Batch([], is_last=True)
    assert parse(RECORDED + DONE, SEQUENCE).is_last


def test_answers_to_other_questions_are_passed_over() -> None:
    assert parse(RECORDED + DONE, SEQUENCE + 1) == Batch([], is_last=False)


def test_a_refusal_is_told_in_words() -> None:
    with pytest.raises(DiagError, match="Operation not permitted"):
        parse(error(1), SEQUENCE)


def test_a_failure_at_the_end_is_told_in_words() -> None:
    with pytest.raises(DiagError, match="No such file or directory"):
        parse(DONE[:-4] + struct.pack("=i", -2), SEQUENCE)


def test_an_interrupted_answer_is_none() -> None:
    interrupted = bytearray(RECORDED)
    interrupted[6] |= 0x10
    with pytest.raises(DiagError, match="overtaken"):
        parse(bytes(interrupted), SEQUENCE)


def test_an_answer_of_another_kind_is_refused() -> None:
    with pytest.raises(DiagError, match="type 99"):
        parse(struct.pack("=IHHII", 16, 99, 2, SEQUENCE, 0), SEQUENCE)


def test_a_connection_without_figures_is_refused() -> None:
    bare = struct.pack("=IHHII", HEADER + SOCKET, 18, 2, SEQUENCE, 0) + bytes(SOCKET)
    with pytest.raises(DiagError, match="cut off"):
        parse(bare, SEQUENCE)


def test_figures_of_an_older_kernel_are_refused() -> None:
    short = struct.pack("=HH", 4 + 100, 2) + bytes(100)  # before Linux 4.2
    length = HEADER + SOCKET + len(short)
    message = struct.pack("=IHHII", length, 18, 2, SEQUENCE, 0) + bytes(SOCKET) + short
    with pytest.raises(DiagError, match="cut off"):
        parse(message, SEQUENCE)


@given(st.integers(1, len(RECORDED) - 1))
def test_an_answer_that_is_cut_off_is_refused_or_shorter(length: int) -> None:
    try:
        batch = parse(RECORDED[:length], SEQUENCE)
    except DiagError:
        return
    assert len(batch.connections) < 3


@given(st.binary())
def test_no_datagram_breaks_the_reader(datagram: bytes) -> None:
    read_or_refuse(datagram)


@given(st.integers(0, len(RECORDED) - 1), st.binary(min_size=1, max_size=8))
def test_no_damaged_answer_breaks_the_reader(offset: int, damage: bytes) -> None:
    read_or_refuse(RECORDED[:offset] + damage + RECORDED[offset + len(damage) :])


def read_or_refuse(datagram: bytes) -> None:
    """Any other error than this one fails the test, and so does an endless loop."""
    try:
        parse(datagram, SEQUENCE)
    except DiagError as error:
        assert str(error)  # noqa: PT017 - either outcome is right


def test_an_ipv4_address_is_the_same_in_an_ipv6_socket() -> None:
    client = parse(RECORDED, SEQUENCE).connections[1]
    mapped = client._replace(
        family=socket.AF_INET6,
        local_address=bytes(10) + b"\xff\xff" + client.local_address[:4],
    )
    assert mapped.local == client.local


def test_a_question_asks_for_states_and_ports() -> None:
    asked = question((ESTABLISHED, LISTEN), [(Field.LOCAL_PORT, PORT)], SEQUENCE)
    length, kind, flags, sequence, _ = struct.unpack_from("=IHHII", asked)
    assert (length, kind, flags, sequence) == (len(asked), 18, 0x301, SEQUENCE)
    wish, states = struct.unpack_from("=xxxB48xI", asked, HEADER)
    assert (wish, states) == (0b10, 1 << ESTABLISHED | 1 << LISTEN)
