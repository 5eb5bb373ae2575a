"""A client of Ollama's in a process of its own; what this process asks would be the sidecar's own.

Run as a script it keeps one connection, and asks for as many words as each line of standard input
says; it prints `answered` when the answer is whole.
"""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from typing import IO

MODEL = "tiny"


class Stranger:
    """A client that is connected."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.await_line("connected")

    def ask(self, words: int) -> None:
        """Asks, and does not wait for the answer."""
        print(words, file=_pipe(self._process.stdin), flush=True)

    def await_line(self, expected: str = "answered") -> None:
        assert _pipe(self._process.stdout).readline().strip() == expected


@contextmanager
def stranger(base_url: str) -> Iterator[Stranger]:
    """A client in another process, which hangs up at the end of the block."""
    address = base_url.removeprefix("http://")
    with subprocess.Popen(
        [sys.executable, __file__, address],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            yield Stranger(process)
        finally:
            process.kill()


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe


def main() -> None:
    connection = HTTPConnection(sys.argv[1], timeout=60)
    connection.connect()
    print("connected", flush=True)  # noqa: T201
    for line in sys.stdin:
        body = {"model": MODEL, "prompt": "hi", "options": {"num_predict": int(line)}}
        connection.request("POST", "/api/generate", json.dumps(body))
        connection.getresponse().read()
        print("answered", flush=True)  # noqa: T201


if __name__ == "__main__":
    main()
