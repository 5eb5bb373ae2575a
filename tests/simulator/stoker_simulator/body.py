"""The body of a request, as it comes in: kept in memory while it is small, on the disk else."""

from collections.abc import Generator, Mapping
from tempfile import SpooledTemporaryFile

# What does not fit into this goes to the disk: models of many gigabytes are uploaded.
MEMORY_BYTES = 1024 * 1024
# A line that tells the size of a chunk is a few bytes long.
MAX_LINE_BYTES = 1024

_Parser = Generator[None, bytes, bytes]


class Body:
    """A body that is coming in; ValueError if its headers or chunks make no sense."""

    def __init__(self, headers: Mapping[str, str]) -> None:
        length = _number(headers.get("content-length", "0").encode(), 10)
        is_chunked = headers.get("transfer-encoding", "").lower() == "chunked"
        self.is_whole = False
        self.content = SpooledTemporaryFile(MEMORY_BYTES)  # noqa: SIM115 - the request closes it
        self._parser = self._chunks() if is_chunked else self._piece(length)
        self.rest = self._feed(None)

    def feed(self, data: bytes) -> None:
        """Takes what has come in; once the body is whole, `rest` is what has come behind it."""
        self.rest = data if self.is_whole else self._feed(data)

    def _feed(self, data: bytes | None) -> bytes:
        try:
            # None is what a generator is begun with.
            self._parser.send(data)  # type: ignore[arg-type]
        except StopIteration as done:
            self.is_whole = True
            return bytes(done.value)
        except (ValueError, OSError):
            self.content.close()
            raise
        return b""

    def _piece(self, length: int, received: bytes = b"") -> _Parser:
        """Takes so many bytes; what came behind them."""
        while True:
            self.content.write(received[:length])
            received, length = received[length:], length - len(received[:length])
            if not length:
                return received
            received = yield

    def _chunks(self) -> _Parser:
        received = b""
        while True:
            line, received = yield from _line(received)
            size = _number(line.partition(b";")[0], 16)
            if not size:
                break
            received = yield from self._piece(size, received)
            end, received = yield from _line(received)
            if end:
                raise ValueError(end)
        while line:
            line, received = yield from _line(received)
        return received


def _line(received: bytes) -> Generator[None, bytes, tuple[bytes, bytes]]:
    """A line, and what came behind it."""
    while b"\r\n" not in received:
        if len(received) > MAX_LINE_BYTES:
            raise ValueError("a line that does not end")
        received += yield
    line, _, rest = received.partition(b"\r\n")
    return line, rest


def _number(text: bytes, base: int) -> int:
    number = int(text, base)
    if number < 0:
        raise ValueError(number)
    return number
