"""Bodies as they come in: whole, in pieces, in chunks, and broken."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_simulator.body import MEMORY_BYTES, Body

FIVE = {"content-length": "5"}
CHUNKED = {"transfer-encoding": "Chunked"}


def fed(headers: dict[str, str], *pieces: bytes) -> tuple[bytes, bytes, bool]:
    """The content, what came behind it, and whether it is whole."""
    body = Body(headers)
    for piece in pieces:
        body.feed(piece)
    with body.content as content:
        content.seek(0)
        return content.read(), body.rest, body.is_whole


@pytest.mark.parametrize(
    ("headers", "pieces", "result"),
    [
        ({}, [b""], (b"", b"", True)),
        ({}, [b"GET"], (b"", b"GET", True)),
        (FIVE, [b"hello"], (b"hello", b"", True)),
        (FIVE, [b"he", b"llo", b"GET"], (b"hello", b"GET", True)),
        (FIVE, [b"hell"], (b"hell", b"", False)),
        (CHUNKED, [b"5\r\nhello\r\n0\r\n\r\n"], (b"hello", b"", True)),
        (CHUNKED, [b"3;x=y\r\nhel\r\n2\r\nlo\r\n0\r\nT: 1\r\n\r\nGET"], (b"hello", b"GET", True)),
        (CHUNKED, [b"5\r\nhello\r\n0\r\n"], (b"hello", b"", False)),
    ],
)
def test_a_body_ends_where_its_headers_say(
    headers: dict[str, str], pieces: list[bytes], result: tuple[bytes, bytes, bool]
) -> None:
    assert fed(headers, *pieces) == result


@given(st.binary(max_size=40), st.lists(st.integers(1, 60), max_size=8), st.integers(1, 9))
def test_chunks_are_read_however_they_arrive(content: bytes, cuts: list[int], size: int) -> None:
    chunks = [content[at : at + size] for at in range(0, len(content), size)]
    sent = b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in [*chunks, b""]) + b"GET"
    places = sorted({0, *(cut for cut in cuts if cut < len(sent)), len(sent)})
    body = Body(CHUNKED)
    rests = b""
    for start, end in pairwise(places):
        body.feed(sent[start:end])
        rests += body.rest
    with body.content as read:
        read.seek(0)
        assert read.read() == content
    assert rests == b"GET"


@pytest.mark.parametrize(
    ("headers", "piece"),
    [
        ({"content-length": "-1"}, b""),
        ({"content-length": "five"}, b""),
        (CHUNKED, b"x\r\n"),
        (CHUNKED, b"-5\r\n"),
        (CHUNKED, b"2\r\nhello\r\n"),
        (CHUNKED, b"0" * 2000),
    ],
)
def test_nonsense_is_refused(headers: dict[str, str], piece: bytes) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - nobody reads its words
        Body(headers).feed(piece)


def test_what_is_long_does_not_stay_in_memory() -> None:
    body = Body({"content-length": str(2 * MEMORY_BYTES)})
    with body.content as content:
        for _ in range(2):
            body.feed(bytes(MEMORY_BYTES))
        assert content.name is not None
