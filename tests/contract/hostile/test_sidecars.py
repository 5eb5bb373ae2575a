"""Pods in which something else answers than a sidecar: a pass goes on without them, soon and small.

Each test has a real server on loopback, in the place of a sidecar.
"""

import asyncio
import gzip
import logging
import resource
import time
from urllib.parse import urlsplit

import pytest

from contract.sidecar.asking import Answering, answering
from stoker_api.wire import Status
from stoker_operator.sidecars import Sidecars
from support.statuses import HOT

OK = b"HTTP/1.1 200 OK\r\n"
GOOD = HOT.to_json().encode()
BOMB = gzip.compress(b" " * 200_000_000)


def whole(body: bytes, *headers: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"".join(header + b"\r\n" for header in headers)
    return b"HTTP/1.1 %s\r\n%sContent-Length: %d\r\n\r\n%s" % (status, head, len(body), body)


def saying(first: bytes, endlessly: bytes = b"", *, hang: bool = False) -> Answering:
    """A server that answers a request with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(first)
        while endlessly:
            writer.write(endlessly)
            await writer.drain()
        if hang:
            await reader.read()

    return answer


def said(answer: Answering, times: int = 1) -> dict[str, Status]:
    """What the operator takes from such a pod, when it has asked so often."""

    async def reading() -> dict[str, Status]:
        async with answering(answer) as url:
            async with Sidecars(urlsplit(url).port or 0) as sidecars:
                for _ in range(times):
                    found = await sidecars.read({"phi3-a": "127.0.0.1"})
            return found

    return asyncio.run(reading())


STRANGERS: dict[str, Answering] = {
    "a body without an end": saying(OK + b"\r\n", b" " * 65_536),
    "a bomb": saying(whole(BOMB, b"Content-Encoding: gzip")),
    "headers without an end": saying(OK, b"X-A: b\r\n" * 1000),
    "provisional answers without an end": saying(b"", b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
    "no HTTP": saying(b"SSH-2.0-\x1b[2J\r\n\r\n"),
    "a reason of many words": saying(whole(b"", status=b"500 " + b"\x1b[2J" * 9000)),
    "a redirect": saying(whole(b"", b"Location: http://127.0.0.1:9/\r\n", status=b"302 No")),
    "silence": saying(b"", hang=True),
    "half an answer": saying(OK + b"Content-Length: 100\r\n\r\n{"),
    "depth": saying(whole(b"[" * 200_000)),
    "a version of great depth": saying(whole(b'{"version":' * 20_000)),
    "another document": saying(whole(b'{"version": 1}')),
    "a number beyond all bounds": saying(whole(GOOD.replace(b"92.5", b"1" * 400))),
    "half a character": saying(whole(GOOD.replace(b"Proven", b"\\ud800"))),
}


@pytest.mark.parametrize("stranger", STRANGERS.values(), ids=STRANGERS)
def test_a_stranger_is_as_good_as_nobody(
    stranger: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    before, began = peak_kilobytes(), time.monotonic()
    with caplog.at_level(logging.INFO, "stoker_operator"):
        assert said(stranger) == {}
    (told,) = (record for record in caplog.records if record.name.startswith("stoker_operator"))
    sentence = str(vars(told)["sentence"])
    assert sentence.isprintable()
    assert 0 < len(sentence) <= 300
    assert time.monotonic() - began < 10
    assert peak_kilobytes() - before < 20_000


@pytest.mark.parametrize("address", ["", "127.0.0.1\n", "a/b", "[", "::1%lo", "x" * 70_000])
def test_what_is_no_address_is_as_good_as_nobody(address: str) -> None:
    async def reading() -> dict[str, Status]:
        async with Sidecars() as sidecars:
            return await sidecars.read({"phi3-a": address})

    assert asyncio.run(reading()) == {}


def test_a_stranger_does_not_hold_up_others() -> None:
    async def reading() -> dict[str, Status]:
        async with answering(saying(whole(GOOD))) as url, Sidecars(urlsplit(url).port or 0) as all_:
            return await all_.read({"phi3-a": "127.0.0.1", "phi3-b": "a/b"})

    assert asyncio.run(reading()) == {"phi3-a": HOT}


def test_nothing_is_kept_of_what_a_sidecar_sends_along() -> None:
    seen: list[bytes] = []

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            seen.append(await reader.readuntil(b"\r\n\r\n"))
            cookie = b"Set-Cookie: c%d=%s" % (len(seen), b"x" * 1000)
            writer.write(whole(GOOD, cookie))
            await writer.drain()

    assert said(answer, times=3) == {"phi3-a": HOT}
    assert len(seen) == 3
    assert not any(b"cookie" in request.lower() for request in seen)


def peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
