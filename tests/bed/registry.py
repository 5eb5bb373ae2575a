"""A model registry that real Ollama pulls from, and that fails on request.

It answers from the models themselves, without a push and over plain HTTP: a pull has to say
`insecure`. For each blob Ollama asks for the size (HEAD), then where the data is (GET), then for
the data in ranges; the faults are those of the manifest and of the ranges.
"""

import io
import re
import select
import socket
import threading
from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from bed.models import MANIFEST_TYPE, Blob, Model

PIECE_BYTES = 64 * 1024


@dataclass(frozen=True)
class Fault:
    """How one answer goes wrong."""

    status: int | None = None
    """Answers with this HTTP status instead."""
    corrupt: bool = False
    """Sends other bytes than those that the digest promises, in the right number."""
    cut: bool = False
    """Closes the connection after so many bytes."""
    stall: bool = False
    """Sends nothing more after so many bytes, until the client goes away."""
    after_bytes: int = 0


NO_FAULT = Fault()


@dataclass(frozen=True)
class Request:
    """A request as it came in."""

    method: str
    path: str
    range: str | None


class Registry:
    """Models by name, served over HTTP; use `running()` to get one."""

    def __init__(self, listener: socket.socket) -> None:
        self.host = "{}:{}".format(*listener.getsockname())
        self.requests: list[Request] = []
        self.closing = threading.Event()
        self._models: dict[str, Model] = {}
        self._faults: defaultdict[str, deque[Fault]] = defaultdict(deque)
        self._lock = threading.Lock()

    def put(self, name: str, model: Model) -> str:
        """Serves this model, replacing what had that name; the answer is what to pull."""
        self._models[name] = model
        return f"{self.host}/library/{name}:latest"

    def inject(self, target: str, fault: Fault) -> None:
        """Lets the next answer about `target`, a blob's digest or a model's name, go wrong."""
        self._faults[target].append(fault)

    def mend(self, target: str) -> None:
        """Lets every answer about `target` be right from now on."""
        with self._lock:
            self._faults[target].clear()

    def data_requests(self, blob: Blob) -> list[str]:
        """The byte ranges that were asked of this blob, so far, in order."""
        asked = (request for request in self.requests if request.path.endswith(blob.digest))
        return [request.range for request in asked if request.range]

    def find_model(self, name: str) -> Model | None:
        """The model that is served under this name now."""
        return self._models.get(name)

    def find_blob(self, digest: str) -> Blob | None:
        """The blob of any model that is served now."""
        blobs = (blob for model in self._models.values() for blob in model.blobs)
        return next((blob for blob in blobs if blob.digest == digest), None)

    def next_fault(self, target: str) -> Fault:
        """What is to go wrong with this answer; each fault happens once."""
        with self._lock:
            waiting = self._faults[target]
            return waiting.popleft() if waiting else NO_FAULT


@contextmanager
def running(listener: socket.socket | None = None) -> Iterator[Registry]:
    """A registry on a free loopback port, or on a listening socket made elsewhere."""
    server = _Server(listener or socket.create_server(("127.0.0.1", 0)))
    # A short poll: closing takes as long as one.
    thread = threading.Thread(target=server.serve_forever, args=[0.02], name="registry")
    thread.start()
    try:
        yield server.registry
    finally:
        server.registry.closing.set()
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingHTTPServer):
    # An open connection of a client must not hold up the end of a test.
    daemon_threads = True

    def __init__(self, listener: socket.socket) -> None:
        super().__init__(listener.getsockname(), _Handler, bind_and_activate=False)
        self.socket.close()
        self.socket = listener
        self.registry = Registry(listener)


class _Handler(BaseHTTPRequestHandler):
    server: _Server
    protocol_version = "HTTP/1.1"
    timeout = 60

    def do_HEAD(self) -> None:
        self.do_GET()

    def do_GET(self) -> None:
        request = Request(self.command, self.path, self.headers["Range"])
        self.server.registry.requests.append(request)
        try:
            self._route()
        except ConnectionError:
            # The client has left, as a cancelled pull does.
            self.close_connection = True

    def _route(self) -> None:
        if match := re.fullmatch(r"/v2/library/([^/]+)/manifests/latest", self.path):
            self._answer_manifest(match[1])
        elif match := re.fullmatch(r"/v2/library/[^/]+/blobs/(sha256:\w+)", self.path):
            self._answer_blob(match[1])
        else:
            self._send_status(404)

    def _answer_manifest(self, name: str) -> None:
        fault = self.server.registry.next_fault(name)
        model = self.server.registry.find_model(name)
        if fault.status or not model:
            self._send_status(fault.status or 404)
            return
        self._send_head(200, len(model.manifest), {"Content-Type": MANIFEST_TYPE})
        self.wfile.write(model.manifest)

    def _answer_blob(self, digest: str) -> None:
        ranged = self.headers["Range"] is not None
        fault = self.server.registry.next_fault(digest) if ranged else NO_FAULT
        blob = self.server.registry.find_blob(digest)
        if fault.status or not blob:
            self._send_status(fault.status or 404)
            return
        start, stop = self._asked_range(blob.size)
        # Ollama takes the place to get the data from this header of the last answer, even where
        # that answer redirects nowhere; without it the pull fails with "no Location header".
        headers = {"Location": self.path}
        if ranged:
            headers["Content-Range"] = f"bytes {start}-{stop - 1}/{blob.size}"
        self._send_head(206 if ranged else 200, stop - start, headers)
        if self.command != "HEAD":
            self._send_data(blob, start, stop, fault)

    def _asked_range(self, size: int) -> tuple[int, int]:
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers["Range"] or "")
        if not match:
            return 0, size
        return int(match[1]), min(int(match[2] or size) + 1, size)

    def _send_data(self, blob: Blob, start: int, stop: int, fault: Fault) -> None:
        interrupted = fault.cut or fault.stall
        end = min(stop, start + fault.after_bytes) if interrupted else stop
        for piece in _pieces(blob, start, end):
            self.wfile.write(bytes(len(piece)) if fault.corrupt else piece)
        if interrupted and end < stop:
            if fault.stall:
                self._wait_until_gone()
            self.close_connection = True

    def _wait_until_gone(self) -> None:
        while not self.server.registry.closing.wait(0.02):
            readable, _, _ = select.select([self.connection], [], [], 0)
            if readable and not self.connection.recv(1, socket.MSG_PEEK):
                return

    def _send_status(self, status: int) -> None:
        body = f"{status} from the test registry\n".encode()
        self._send_head(status, len(body), {"Content-Type": "text/plain"})
        if self.command != "HEAD":
            self.wfile.write(body)

    def _send_head(self, status: int, length: int, headers: Mapping[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Says nothing: `Registry.requests` tells tests what they need."""


def _pieces(blob: Blob, start: int, stop: int) -> Iterator[bytes]:
    file = io.BytesIO(blob.source) if isinstance(blob.source, bytes) else blob.source.open("rb")
    with file:
        file.seek(start)
        while piece := file.read(min(PIECE_BYTES, stop - file.tell())):
            yield piece
