"""The stable address: to hot replicas only, byte for byte, and at once."""

import asyncio
import hashlib
import os
import resource
import signal
import time
from collections.abc import Awaitable, Callable
from functools import partial
from pathlib import Path

import pytest

from contract.local.stand import Serve, Stand, standing, until
from stoker_operator.local.listener import PortTakenError, bound

_LOTS = 20_000_000


async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says back what it hears, until the other side says no more."""
    while data := await reader.read(65536):
        writer.write(data)
        await writer.drain()


async def name(said: bytes, _: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says its name, and holds the connection until the client goes."""
    writer.write(said)
    await _.read()


async def sums(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Hears it all out, and answers with the digest."""
    digest = hashlib.sha256()
    while data := await reader.read(65536):
        digest.update(data)
    writer.write(digest.digest())


async def silence(_: asyncio.StreamReader, __: asyncio.StreamWriter) -> None:
    """Never reads."""
    await asyncio.Event().wait()


def story(told: Callable[[Stand], Awaitable[None]], *serves: Serve) -> None:
    async def run() -> None:
        async with standing(*serves) as stand, asyncio.timeout(30):
            await told(stand)

    asyncio.run(run())


async def ask(stand: Stand, said: bytes = b"hello") -> bytes:
    """What comes back of it, over a connection of its own."""
    reader, writer = await stand.connect()
    writer.write(said)
    writer.write_eof()
    answer = await reader.read()
    writer.close()
    return answer


def test_the_address_refuses_at_once_while_nobody_is_hot_and_opens_with_the_first() -> None:
    async def told(stand: Stand) -> None:
        assert await stand.is_refused()
        for hot in (True, False) * 3:
            await stand.become(hot)
        await stand.become(True)  # noqa: FBT003
        assert await ask(stand) == b"hello"

    story(told, echo)


def test_heat_is_heard_within_milliseconds() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        began = time.monotonic()
        await stand.become(False)  # noqa: FBT003
        assert time.monotonic() - began < 0.1

    story(told, echo)


def test_the_port_is_nobody_elses_while_it_refuses() -> None:
    async def told(stand: Stand) -> None:
        for hot in (True, False):
            await stand.become(hot)
            with pytest.raises(PortTakenError, match="Address already in use"):
                bound(stand.host, stand.port, was_ours=True)

    story(told, echo)


def test_connections_go_to_hot_replicas_alone_and_are_spread_over_them() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True, False, True)  # noqa: FBT003
        await until(partial(_is_spread, stand, b"aaaccc"))  # the second may be hot a bit later

    story(told, *(partial(name, each) for each in (b"a", b"b", b"c")))


async def _is_spread(stand: Stand, names: bytes) -> bool:
    """Whether six connections at the same time lead to these, in the order of the alphabet."""
    opened = [await stand.connect() for _ in range(6)]
    said = b"".join(sorted([await reader.read(1) for reader, _ in opened]))
    for _, writer in opened:
        writer.close()
    return said == names


async def name_once(
    said: bytes, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
) -> None:
    """Says its name to who has said all."""
    await reader.read()
    writer.write(said)


def test_one_after_the_other_they_go_by_turns() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True, True)  # noqa: FBT003

        async def is_by_turns() -> bool:
            return {await ask(stand), await ask(stand)} == {b"a", b"b"}

        await until(is_by_turns)

    story(told, partial(name_once, b"a"), partial(name_once, b"b"))


def test_each_way_has_its_own_end() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        reader, writer = await stand.connect()
        data = os.urandom(_LOTS)
        writer.write(data)
        await writer.drain()
        writer.write_eof()
        assert await reader.read() == hashlib.sha256(data).digest()
        writer.close()

    story(told, sums)


def test_much_comes_back_whole_to_who_reads_late() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        data = os.urandom(_LOTS) * 4
        reader, writer = await stand.connect()
        writing = asyncio.create_task(_write(writer, data))
        await asyncio.sleep(0.5)  # so that all buffers on the way are full
        assert not writing.done()
        assert await reader.read() == data
        await writing
        writer.close()

    story(told, echo)


async def _write(writer: asyncio.StreamWriter, data: bytes) -> None:
    writer.write(data)
    await writer.drain()
    writer.write_eof()


def test_who_is_not_read_from_is_held_up_and_the_forwarder_takes_no_memory_for_it() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        before = _resident_bytes(stand.process.pid)
        writers = [(await stand.connect())[1] for _ in range(10)]
        for writer in writers:
            writer.write(bytes(_LOTS))
        await asyncio.sleep(0.5)  # for as much as will go
        assert all(writer.transport.get_write_buffer_size() for writer in writers)
        assert _resident_bytes(stand.process.pid) - before < 20_000_000
        for writer in writers:
            writer.transport.abort()

    story(told, silence)


def _resident_bytes(pid: int) -> int:
    return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGESIZE")


def test_a_stream_arrives_piece_by_piece() -> None:
    gaps: list[float] = []

    async def pieces(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while piece := await reader.read(1):
            writer.write(piece)

    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        reader, writer = await stand.connect()
        for _ in range(200):
            began = time.monotonic()
            writer.write(b"x")
            assert await reader.readexactly(1) == b"x"
            gaps.append(time.monotonic() - began)
        writer.close()

    story(told, pieces)
    assert sorted(gaps)[100] < 0.01


def test_answers_under_way_arrive_though_their_replica_is_no_longer_hot() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        reader, writer = await stand.connect()
        writer.write(b"one")
        assert await reader.readexactly(3) == b"one"
        await stand.become(False)  # noqa: FBT003
        stand.tell([])
        writer.write(b"two")
        assert await reader.readexactly(3) == b"two"
        writer.close()

    story(told, echo)


def test_the_connections_of_a_replica_that_dies_end_and_the_next_go_to_others() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True, True)  # noqa: FBT003
        await until(partial(_is_spread, stand, b"aaabbb"))
        opened = [await stand.connect() for _ in range(4)]
        names = [await reader.read(1) for reader, _ in opened]
        await stand.replicas[0].end()
        for said, (reader, writer) in zip(names, opened, strict=True):
            if said == b"a":
                assert await reader.read() == b""
            writer.close()
        # Its sidecar has not said so yet: nobody notices.
        for _ in range(10):
            reader, writer = await stand.connect()
            assert await reader.read(1) == b"b"
            writer.close()

    story(told, partial(name, b"a"), partial(name, b"b"))


def test_a_client_that_goes_ends_the_connection_behind_it() -> None:
    ended = asyncio.Event()

    async def waits(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"x")
        await reader.read()
        ended.set()

    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        reader, writer = await stand.connect()
        await reader.readexactly(1)
        writer.transport.abort()
        await ended.wait()

    story(told, waits)


def test_a_sidecar_that_ends_closes_the_address() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        await stand.replicas[0].sidecar.stop()
        await until(stand.is_refused)

    story(told, echo)


def test_a_forwarder_without_orders_ends() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003

    story(told, echo)  # which waits for its end


def test_a_forwarder_out_of_files_goes_on_when_there_are_some_again() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        used = _open_files(stand.process.pid)
        resource.prlimit(stand.process.pid, resource.RLIMIT_NOFILE, (used + 5, used + 5))
        opened = [connection for _ in range(10) if (connection := await _connection(stand))]
        for _, writer in opened:
            writer.transport.abort()
        await until(partial(_answers, stand))
        assert stand.process.poll() is None

    story(told, echo)


def _open_files(pid: int) -> int:
    return len(list(Path(f"/proc/{pid}/fd").iterdir()))


async def _connection(stand: Stand) -> tuple[asyncio.StreamReader, asyncio.StreamWriter] | None:
    try:
        return await stand.connect()
    except ConnectionError:
        return None


async def _answers(stand: Stand) -> bool:
    try:
        return await ask(stand) == b"hello"
    except ConnectionError:
        return False


def test_a_forwarder_is_ended_by_a_signal() -> None:
    async def told(stand: Stand) -> None:
        await stand.become(True)  # noqa: FBT003
        stand.process.send_signal(signal.SIGTERM)

    story(told, echo)
