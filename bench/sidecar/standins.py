"""What stands beside a measured sidecar: an API server that takes its gate, a proxy that counts."""

import contextlib
import http.client
import json
import ssl
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from bed.certificates import make_authority, make_certificate
from stoker_sidecar.apiserver import SERVICE_ACCOUNT
from support.waiting import wait_for


class _Quiet(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def log_message(self, *_: object) -> None:
        """Says nothing: what is asked is counted."""

    def handle(self) -> None:
        with contextlib.suppress(ConnectionError):  # the sidecar that asked may have been ended
            super().handle()

    def body(self) -> bytes:
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def answer(self, status: int, content: bytes, kind: str = "application/json") -> None:
        with contextlib.suppress(OSError):  # the sidecar that asked may have been ended
            self.send_response(status)
            self.send_header("Content-Type", kind)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)


class _Counting:
    """Counts what it is asked, by kind."""

    def __init__(self) -> None:
        self._counts: Counter[str] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: str) -> None:
        with self._lock:
            self._counts[kind] += 1

    def forget(self) -> None:
        with self._lock:
            self._counts.clear()

    def asked(self) -> Counter[str]:
        with self._lock:
            return self._counts.copy()


class ApiServer(_Counting):
    """Notes when each write of a pod's gate arrives, and counts writes and looks."""

    def __init__(self, server: ThreadingHTTPServer) -> None:
        super().__init__()
        self._port = server.server_address[1]
        self._condition: list[dict[str, Any]] = []
        self._shut_at: float | None = None

    @classmethod
    @contextmanager
    def running(cls) -> Iterator[Self]:
        """One, whose authority and token lie where a pod has them. Needs a mount namespace."""
        folder = _service_account()
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(folder / "server.crt", folder / "server.key")
        with _serving(_Api) as server:
            server.socket = context.wrap_socket(server.socket, server_side=True)
            server.api = cls(server)  # type: ignore[attr-defined]
            yield server.api  # type: ignore[attr-defined]

    def environment(self) -> dict[str, str]:
        """What a pod is told of itself and of the API server."""
        return {
            "KUBERNETES_SERVICE_HOST": "127.0.0.1",
            "KUBERNETES_SERVICE_PORT": str(self._port),
            "POD_NAMESPACE": "bench",
            "POD_NAME": "hot",
            "POD_UID": "1",
        }

    def until_open(self) -> None:
        """Returns when the newest write has opened the gate."""
        wait_for("an open gate", lambda: self._is("True"), seconds=60)

    def shut_at(self) -> float:
        """When the write arrived that shut the gate since it was last open."""
        wait_for("a shut gate", lambda: self._shut_at is not None, seconds=60)
        return self._shut_at or 0.0

    def _is(self, status: str) -> bool:
        return any(condition["status"] == status for condition in self._condition)

    def take(self, patch: dict[str, Any]) -> dict[str, Any]:
        arrived = time.monotonic()
        conditions = patch.get("status", {}).get("conditions")
        # A patch that says nothing but whose pod it is: so the sidecar looks (apiserver.py).
        self.count("writes" if conditions else "looks")
        if conditions:
            if conditions[0]["status"] == "True":
                self._shut_at = None
            elif self._is("True"):
                self._shut_at = arrived
            self._condition = conditions
        return {"metadata": {"name": "hot"}, "status": {"conditions": self._condition}}


class _Api(_Quiet):
    def do_PATCH(self) -> None:
        pod = self.server.api.take(json.loads(self.body()))  # type: ignore[attr-defined]
        self.answer(200, json.dumps(pod).encode())


def _service_account() -> Path:
    """The folder, in a file system of its own that ends with this process."""
    subprocess.run(["mount", "-t", "tmpfs", "stoker-bench", "/run"], check=True)  # noqa: S607
    SERVICE_ACCOUNT.parent.mkdir(parents=True)
    make_authority(SERVICE_ACCOUNT)
    make_certificate(SERVICE_ACCOUNT, "server", "api", addresses=("IP:127.0.0.1",))
    (SERVICE_ACCOUNT / "token").write_text("bench\n")
    return SERVICE_ACCOUNT


class CountingProxy(_Counting):
    """Passes requests on to Ollama, and counts them by kind."""

    def __init__(self, port: int) -> None:
        super().__init__()
        self.url = f"http://127.0.0.1:{port}"

    @classmethod
    @contextmanager
    def before(cls, url: str) -> Iterator[Self]:
        with _serving(_Proxy) as server:
            proxy = cls(server.server_address[1])
            server.proxy, server.site = proxy, urlsplit(url).netloc  # type: ignore[attr-defined]
            yield proxy


class _Proxy(_Quiet):
    def do_GET(self) -> None:
        self._pass_on("looks", b"")

    def do_POST(self) -> None:
        body = self.body()
        if self.path not in ("/api/generate", "/api/chat", "/api/embed"):
            self._pass_on("looks", body)
        elif any(json.loads(body).get(name) for name in ("prompt", "messages", "input")):
            self._pass_on("prompts", body)
        else:
            self._pass_on("loads", body)

    def _pass_on(self, kind: str, body: bytes) -> None:
        self.server.proxy.count(kind)  # type: ignore[attr-defined]
        site = http.client.HTTPConnection(self.server.site, timeout=60)  # type: ignore[attr-defined]
        try:
            site.request(self.command, self.path, body)
            answer = site.getresponse()
            self.answer(answer.status, answer.read(), answer.getheader("Content-Type", ""))
        finally:
            site.close()


@contextmanager
def _serving(handler: type[BaseHTTPRequestHandler]) -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
