"""Servers that are broken, slow, endless, or somebody else: each question ends, small and in time.

Each test has a real server on loopback, which says something that Ollama never would.
"""

import asyncio
import resource
import ssl
import time
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path
from typing import Any, TypeVar

import pytest

from bed import certificates
from contract.sidecar.asking import Answering, answering, question
from stoker_sidecar.exchange import (
    ExchangeError,
    LateError,
    NonsenseError,
    RefusedError,
    UnreachableError,
    UnresolvedError,
    UntrustedError,
)
from stoker_sidecar.heat.observation import Fault, Outcome
from stoker_sidecar.ollama import Ollama
from stoker_sidecar.site import Site

T = TypeVar("T")

SECONDS = 1.0
OK = b"HTTP/1.1 200 OK\r\n"
ENDLESS = OK + b"Content-Length: 10000000000\r\n\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\n\r\n"
MEGABYTE = b" " * 1_000_000


def saying(*pieces: bytes, endlessly: bytes = b"", hang: bool = False) -> Answering:
    """A server that answers every request with these bytes."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        for piece in pieces:
            writer.write(piece)
        while endlessly:
            writer.write(endlessly)
            await writer.drain()
        if hang:
            await reader.read()
            await reader.read()

    return answer


def against(answer: Answering, work: Callable[[Ollama], Awaitable[T]]) -> T:
    """What comes of `work` with a client of such a server."""

    async def working() -> T:
        async with answering(answer) as url:
            site = Site(url)
            try:
                return await work(Ollama(site, "tiny", {}))
            finally:
                site.close()

    return asyncio.run(working())


def whole(body: bytes) -> bytes:
    return OK + b"Content-Length: %d\r\n\r\n" % len(body) + body


def peak_kilobytes() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss


BAD_LISTS: dict[str, tuple[Answering, type[ExchangeError]]] = {
    "a body of 10 GB": (saying(ENDLESS, endlessly=MEGABYTE), NonsenseError),
    "a body without an end": (saying(OK + b"\r\n", endlessly=MEGABYTE), NonsenseError),
    "chunks without an end": (
        saying(CHUNKED, endlessly=b"3e8\r\n" + b"x" * 1000 + b"\r\n"),
        NonsenseError,
    ),
    "headers without an end": (saying(OK, endlessly=b"X-A: b\r\n" * 100), NonsenseError),
    "provisional answers without an end": (
        saying(endlessly=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 100),
        NonsenseError,
    ),
    "no HTTP": (saying(b"SSH-2.0-OpenSSH_9.6\r\n\r\n"), NonsenseError),
    "a greeting": (saying(b"SSH-2.0-OpenSSH_9.6\r\n"), UnreachableError),
    "no JSON": (saying(whole(b"<html>")), NonsenseError),
    "invalid UTF-8": (saying(whole(b'{"models": [{"name": "\xff"}]}')), NonsenseError),
    "JSON of great depth": (saying(whole(b"[" * 500_000)), NonsenseError),
    "other JSON": (saying(whole(b'{"models": "none"}')), NonsenseError),
    "half an answer": (saying(ENDLESS + b'{"models"'), UnreachableError),
    "no answer": (saying(), UnreachableError),
    "silence": (saying(hang=True), LateError),
    "half an answer, then silence": (saying(ENDLESS + b'{"models"', hang=True), LateError),
    "a redirect": (
        saying(b"HTTP/1.1 302 Found\r\nLocation: http://127.0.0.1:9/\r\nContent-Length: 0\r\n\r\n"),
        RefusedError,
    ),
    "a refusal": (saying(b"HTTP/1.1 403 No\r\nContent-Length: 0\r\n\r\n"), RefusedError),
    "a refusal of 10 GB": (
        saying(b"HTTP/1.1 500 No\r\nContent-Length: 10000000000\r\n\r\n", endlessly=MEGABYTE),
        NonsenseError,
    ),
}


@pytest.mark.parametrize(("answer", "kind"), BAD_LISTS.values(), ids=BAD_LISTS)
def test_a_list_that_is_none_is_an_error_that_is_small_and_in_time(
    answer: Answering, kind: type[ExchangeError]
) -> None:
    before = peak_kilobytes()
    with pytest.raises(ExchangeError) as caught:
        against(answer, lambda client: client.loaded(SECONDS))
    assert type(caught.value) is kind, caught.value
    assert len(str(caught.value)) < 600
    assert str(caught.value).isprintable()
    assert peak_kilobytes() - before < 150_000


def test_a_list_that_drips_is_late() -> None:
    async def drip(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ENDLESS)
        while True:
            writer.write(b" ")
            await writer.drain()
            await asyncio.sleep(0.01)

    with pytest.raises(LateError):
        against(drip, lambda client: client.loaded(SECONDS))


def lines(line: bytes) -> Answering:
    """A server that streams this line for ever."""
    chunk = b"%x\r\n%s\r\n" % (len(line), line)
    return saying(CHUNKED, endlessly=chunk * (1 + 10_000 // len(chunk)))


BAD_ANSWERS: dict[str, tuple[Answering, Fault]] = {
    "words without an end": (lines(b'{"response": "x"}\n'), Fault.OTHER),
    "a line without an end": (lines(b"x" * 1000), Fault.OTHER),
    "empty lines without an end": (lines(b"\n"), Fault.OTHER),
    "lines that are no JSON": (lines(b"hello\n"), Fault.OTHER),
    "an end before the end": (saying(whole(b'{"response": "x"}\n')), Fault.OTHER),
    "nothing": (saying(whole(b"")), Fault.OTHER),
    "an error in a good answer": (saying(whole(b'{"error": "it broke"}\n')), Fault.OTHER),
    "a full queue in a good answer": (
        saying(whole(b'{"error": "busy", "status": 503}\n')),
        Fault.BUSY,
    ),
    "a word, then silence": (
        saying(CHUNKED + b'12\r\n{"response": "x"}\n\r\n', hang=True),
        Fault.TIMED_OUT,
    ),
}


@pytest.mark.p(35)
@pytest.mark.parametrize(("answer", "fault"), BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_an_answer_that_is_none_is_a_failure_that_is_told(answer: Answering, fault: Fault) -> None:
    outcome = against(answer, lambda client: client.say(question(seconds=SECONDS)))
    assert outcome.fault is fault, outcome.error
    assert outcome.error
    assert outcome.seconds < 3 * SECONDS


def pulled(answer: Answering) -> Outcome:
    def ignore(_: Any) -> None:
        pass

    return against(
        answer, lambda client: client.pull(ignore, stall_seconds=SECONDS, insecure=False)
    )


BAD_PULLS: dict[str, tuple[Answering, Fault]] = {
    "the same line for ever": (
        lines(b'{"status": "pulling a", "digest": "a", "total": 9, "completed": 5}\n'),
        Fault.STALLED,
    ),
    "empty objects for ever": (lines(b"{}\n"), Fault.STALLED),
    "silence": (saying(CHUNKED, hang=True), Fault.STALLED),
    "a line without an end": (lines(b"x" * 1000), Fault.OTHER),
    "lines that are no JSON": (lines(b"hello\n"), Fault.OTHER),
    "an end without success": (saying(whole(b'{"status": "pulling"}\n')), Fault.OTHER),
    "counts that are no numbers": (
        lines(b'{"status": "x", "digest": "a", "total": "9"}\n'),
        Fault.OTHER,
    ),
}


@pytest.mark.p(35)
@pytest.mark.parametrize(("answer", "fault"), BAD_PULLS.values(), ids=BAD_PULLS)
def test_a_pull_that_is_none_is_a_failure_that_is_told(answer: Answering, fault: Fault) -> None:
    outcome = pulled(answer)
    assert outcome.fault is fault, outcome.error
    assert outcome.error
    assert outcome.seconds < 4 * SECONDS


# --- addresses ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "kind"),
    [
        ("http://127.0.0.1:9", UnreachableError),
        ("http://" + "x" * 70 + ".invalid", UnresolvedError),
        ("http://no-such-name.invalid", UnresolvedError),
    ],
)
def test_an_address_that_leads_nowhere_is_told(url: str, kind: type[ExchangeError]) -> None:
    with pytest.raises(ExchangeError) as caught:
        asyncio.run(Ollama(Site(url), "tiny", {}).version(30))
    assert type(caught.value) is kind
    assert url in str(caught.value)


@pytest.mark.parametrize(
    "url",
    [
        *("", "localhost:11434", "ftp://x", "http://", "http://x:y", "http://["),
        *("http://b\u00fccher:11434", "http://x/a b", "http://x\r\nHost: y"),
    ],
)
def test_what_is_no_address_is_told_with_an_example(url: str) -> None:
    with pytest.raises(UnreachableError, match="write it like http://name:11434"):
        Site(url)


def test_a_server_without_tls_is_not_trusted() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(1)
        writer.write(b"HTTP/1.1 400 Bad Request\r\n\r\n")

    async def encrypted() -> None:
        async with answering(refuse) as url:
            await Ollama(Site(url.replace("http:", "https:")), "tiny", {}).version(5)

    with pytest.raises(UntrustedError):
        asyncio.run(encrypted())


def test_a_certificate_is_looked_at(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "certificates"
    certificates.make_authority(folder)
    certificates.make_certificate(folder, "server", "server", addresses=("IP:127.0.0.1",))
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(folder / "server.crt", folder / "server.key")

    async def version() -> str:
        async with answering(saying(whole(b'{"version": "1"}')), tls) as url:
            with closing(Site(url)) as site:
                return await Ollama(site, "tiny", {}).version(5)

    with pytest.raises(UntrustedError, match="certificate"):
        asyncio.run(version())
    monkeypatch.setenv("SSL_CERT_FILE", str(folder / "ca.crt"))
    assert asyncio.run(version()) == "1"


# --- connections --------------------------------------------------------------------------------


def counted(connections: list[int]) -> Answering:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        connections.append(0)
        while True:
            await reader.readuntil(b"\r\n\r\n")
            connections[-1] += 1
            writer.write(whole(b'{"version": "1"}'))

    return answer


def test_a_flood_of_lines_holds_up_nothing_else() -> None:
    async def beat(client: Ollama) -> float:
        pulling = asyncio.create_task(
            client.pull(lambda _: None, stall_seconds=SECONDS, insecure=False)
        )
        longest = 0.0
        while not pulling.done():
            before = time.monotonic()
            await asyncio.sleep(0.01)
            longest = max(longest, time.monotonic() - before)
        return longest

    assert against(lines(b"{}\n"), beat) < 0.3


def test_questions_one_after_the_other_share_a_connection() -> None:
    async def ask_thrice(client: Ollama) -> None:
        for _ in range(3):
            assert await client.version(SECONDS) == "1"

    connections: list[int] = []
    against(counted(connections), ask_thrice)
    assert connections == [3]


def test_a_connection_that_gave_up_a_question_is_not_used_again() -> None:
    async def give_up_and_ask(client: Ollama) -> None:
        with pytest.raises(LateError):
            await client.loaded(0.0)
        assert await client.version(SECONDS) == "1"

    connections: list[int] = []
    against(counted(connections), give_up_and_ask)
    assert connections[-1] == 1


def test_a_site_with_one_connection_takes_no_other() -> None:
    async def lose_it() -> None:
        async with answering(saying(whole(b'{"version": "1"}'))) as url:
            client = Ollama(Site(url, connections=1), "tiny", {})
            assert await client.version(SECONDS) == "1"
            with pytest.raises(UnreachableError, match="has closed the connection"):
                await client.version(SECONDS)

    asyncio.run(lose_it())
