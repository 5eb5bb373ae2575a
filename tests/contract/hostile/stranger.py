"""A server in Ollama's place that says something else each time that it is asked."""

import json
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class Stranger(ThreadingHTTPServer):
    """Answers each path with the next of its answers, and begins anew after the last."""

    daemon_threads = True

    def __init__(self, answers: Mapping[str, Sequence[bytes]]) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.answers = answers
        self.asked: Counter[str] = Counter()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"

    def next(self, path: str) -> bytes:
        answers = self.answers.get(path, (b"{}",))
        number = self.asked[path]
        self.asked[path] += 1
        return answers[number % len(answers)]


class _Handler(BaseHTTPRequestHandler):
    server: Stranger

    def do_GET(self) -> None:
        self._answer()

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("Content-Length", 0)))
        self._answer()

    def _answer(self) -> None:
        body = self.server.next(self.path)
        with suppress(ConnectionError):
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def stranger(answers: Mapping[str, Sequence[object]]) -> Iterator[Stranger]:
    """A stranger while the block lasts. What is not bytes is said as JSON."""
    said = {
        path: [each if isinstance(each, bytes) else json.dumps(each).encode() for each in listed]
        for path, listed in answers.items()
    }
    with Stranger(said) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join(timeout=10)
