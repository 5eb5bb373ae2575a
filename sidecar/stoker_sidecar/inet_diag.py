"""The kernel's `inet_diag` messages: what to ask for TCP connections, and how it answers.

Pure: bytes in, bytes out. The layouts are those of <linux/netlink.h>, <linux/inet_diag.h> and
<linux/tcp.h>, which only ever grow at their ends. Numbers are in the machine's own order, ports
and addresses in that of the network.
"""

import os
import socket
import struct
from collections.abc import Sequence
from enum import Enum
from typing import NamedTuple

from stoker_sidecar.errors import SidecarError


class DiagError(SidecarError):
    """The kernel refused the question, or its answer makes no sense."""


class Field(Enum):
    """What a port is compared with. Each value: the opcodes for "not below" and "not above"."""

    LOCAL_PORT = (2, 3)
    REMOTE_PORT = (4, 5)


class Connection(NamedTuple):
    """One end of a TCP connection, or a socket that listens."""

    family: int
    state: int
    local_port: int
    remote_port: int
    local_address: bytes
    remote_address: bytes
    cookie: int
    """Its identity: no two sockets of a machine ever have the same one."""
    unread: int
    """Bytes that have come and the process has not taken."""
    unsent: int
    """Bytes that the process has given and the other end has not confirmed."""
    inode: int
    sent_ago_ms: int
    """Since when no byte has been sent. Before the first one, since the connection was made."""
    received_ago_ms: int
    confirmed_ago_ms: int
    """Since when the other end has confirmed nothing, bytes or the answer to a keep-alive probe."""
    delivered: int
    """Bytes sent and confirmed; one more at the end that opened the connection."""
    received: int

    @property
    def local(self) -> tuple[bytes, int]:
        return (_canonical(self.family, self.local_address), self.local_port)

    @property
    def remote(self) -> tuple[bytes, int]:
        return (_canonical(self.family, self.remote_address), self.remote_port)


class Batch(NamedTuple):
    """What one datagram of an answer holds."""

    connections: list[Connection]
    is_last: bool


ESTABLISHED = 1
LISTEN = 10

_TCPDIAG_GETSOCK = 18
"""The older question of two. It is about all families at once, and the kernel walks through its
table of connections once, where SOCK_DIAG_BY_FAMILY takes it twice. `ss` asks it, too."""
_REQUEST_AND_DUMP = 0x1 | 0x300
_ERROR, _DONE = 2, 3
_INTERRUPTED = 0x10
_JUMP = 1
_BYTECODE, _INFO = 1, 2

_HEADER = struct.Struct("=IHHII")
_QUESTION = struct.Struct("=xxxB48xI4x")
_ATTRIBUTE = struct.Struct("=HH")
_OPERATION = struct.Struct("=BBH")
_SOCKET = struct.Struct("=BBxx2s2s16s16s4xQ4xIIxxxxI")
_TCP_INFO = struct.Struct("=44xI4xII60xQQ")
_ERRNO = struct.Struct("=i")

_IPV4_IN_IPV6 = bytes(10) + b"\xff\xff"


# --- asking -------------------------------------------------------------------------------------


def question(states: Sequence[int], ports: Sequence[tuple[Field, int]], sequence: int) -> bytes:
    """Asks for all TCP sockets in one of these states that have one of these ports."""
    program = _any_of(ports)
    mask = sum(1 << state for state in states)
    wish = _QUESTION.pack(1 << (_INFO - 1), mask)
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(program), _BYTECODE) + program
    length = _HEADER.size + len(wish) + len(attribute)
    header = _HEADER.pack(length, _TCPDIAG_GETSOCK, _REQUEST_AND_DUMP, sequence, 0)
    return header + wish + attribute


def _any_of(ports: Sequence[tuple[Field, int]]) -> bytes:
    """The kernel's filter program: it takes a socket for which it comes to just its own end.

    For each port two comparisons of two operations each, the second of which holds the port. One
    that fails jumps behind the jump that follows them: to the next port, or beyond the end.
    """
    compared = 4 * _OPERATION.size
    stride = compared + _OPERATION.size
    program = b""
    for index, (field, port) in enumerate(ports):
        for step, opcode in enumerate(field.value):
            fails = stride - step * 2 * _OPERATION.size
            program += _OPERATION.pack(opcode, 2 * _OPERATION.size, fails)
            program += _OPERATION.pack(0, 0, port)
        rest = (len(ports) - 1 - index) * stride
        if rest:
            program += _OPERATION.pack(_JUMP, _OPERATION.size, rest)
    return program


# --- understanding the answer -------------------------------------------------------------------


def parse(datagram: bytes, sequence: int) -> Batch:
    """The sockets in a datagram. Answers to other questions are passed over."""
    try:
        return _batch(datagram, sequence)
    except struct.error as error:
        raise DiagError("the kernel's answer is cut off") from error


def _batch(datagram: bytes, sequence: int) -> Batch:
    found: list[Connection] = []
    offset = 0
    while offset < len(datagram):
        length, kind, flags, number, _ = _HEADER.unpack_from(datagram, offset)
        if not _HEADER.size <= length <= len(datagram) - offset:
            raise DiagError("the kernel's answer is cut off")
        if number == sequence:
            # Cut out, so that nothing is read beyond its end.
            body = datagram[offset + _HEADER.size : offset + length]
            if kind != _TCPDIAG_GETSOCK or flags & _INTERRUPTED:
                _refuse_failure(kind, flags, body)
                return Batch(found, is_last=True)
            found.append(_connection(body))
        offset += _aligned(length)
    return Batch(found, is_last=False)


def _refuse_failure(kind: int, flags: int, body: bytes) -> None:
    """Returns if this message ends an answer well."""
    if flags & _INTERRUPTED:
        raise DiagError("the kernel's answer was overtaken by a change")
    if kind not in (_DONE, _ERROR):
        raise DiagError(f"the kernel answers with a message of type {kind}")
    (code,) = _ERRNO.unpack_from(body)
    if code < 0:
        raise DiagError(f"the kernel refuses to list connections: {os.strerror(-code)}")


def _connection(body: bytes) -> Connection:
    family, state, local_port, remote_port, *rest = _SOCKET.unpack_from(body)
    return Connection(
        family,
        state,
        int.from_bytes(local_port, "big"),
        int.from_bytes(remote_port, "big"),
        *rest,
        *_tcp_info(body),
    )


def _tcp_info(body: bytes) -> tuple[int, ...]:
    """Sent, received and confirmed ago; delivered and received bytes."""
    offset = _SOCKET.size
    while True:
        length, kind = _ATTRIBUTE.unpack_from(body, offset)
        if kind == _INFO:
            return _TCP_INFO.unpack_from(body[: offset + length], offset + _ATTRIBUTE.size)
        if length < _ATTRIBUTE.size:
            raise DiagError("the kernel's answer makes no sense")
        offset += _aligned(length)


def _canonical(family: int, address: bytes) -> bytes:
    """One form for an IPv4 address, which an IPv6 socket has at the end of a longer one."""
    if family == socket.AF_INET:
        return address[:4]
    return address.removeprefix(_IPV4_IN_IPV6)


def _aligned(length: int) -> int:
    return (length + 3) & ~3
