"""A front before an Ollama that puts a mark into all that the model says, and may cut it off."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import httpx

_WORDS = re.compile(rb'"(response|content)":"[^"]*"')


class Front(ThreadingHTTPServer):
    """Hands every request on, and every answer back."""

    daemon_threads = True

    def __init__(self, ollama_url: str, mark: str) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.behind = httpx.Client(base_url=ollama_url, timeout=60)
        self.mark = mark.encode()
        self.cuts = False
        """Whether an answer ends with the first mark, in the middle of a line."""
        self.marked = 0
        """How many marks have gone out."""

    def handle_error(self, *_: object) -> None:
        """Says nothing: a client that has left is no error."""

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_port}"


class _Handler(BaseHTTPRequestHandler):
    server: Front

    def do_GET(self) -> None:
        self._hand_on()

    def do_POST(self) -> None:
        self._hand_on()

    def _hand_on(self) -> None:
        front = self.server
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        with front.behind.stream(self.command, self.path, content=body) as answer:
            # Without a length: the answer ends where the connection does.
            self.send_response(answer.status_code)
            self.send_header("Content-Type", answer.headers.get("Content-Type", ""))
            self.end_headers()
            for line in answer.iter_lines():
                said, count = _WORDS.subn(rb'"\1":"%s"' % front.mark, line.encode())
                front.marked += count
                if count and front.cuts:
                    event = b"data: " if line.startswith("data:") else b""
                    self.wfile.write(event + b'{"response":"' + front.mark)
                    return
                self.wfile.write(said + b"\n")

    def log_message(self, *_: object) -> None:
        """Says nothing."""


@contextmanager
def front(ollama_url: str, mark: str) -> Iterator[Front]:
    """A front while the block lasts."""
    with Front(ollama_url, mark) as running:
        thread = Thread(target=running.serve_forever)
        thread.start()
        try:
            yield running
        finally:
            running.shutdown()
            thread.join(timeout=10)
            running.behind.close()
