"""What the contract tests use of an Ollama: its HTTP API, and its processes."""

import json
import signal
import socket
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from types import MappingProxyType
from typing import Any, Protocol

import httpx

from bed.models import Model
from bed.progress import wait_until

Json = dict[str, Any]

NOTHING: Mapping[str, Model] = MappingProxyType({})

# How long anything may take that is expected to happen. Big models load slowly on a busy machine.
PATIENCE_SECONDS = 60

# Ollama calls 292 years, the longest time that it can express, for ever.
FOREVER_SECONDS = 200 * 365 * 86400


class Processes(Protocol):
    """The server's processes: a simulator offers the same, with ids of its own making."""

    @property
    def base_url(self) -> str: ...

    @property
    def pid(self) -> int:
        """The process that answers HTTP."""

    def runners(self) -> frozenset[int]:
        """The processes that hold a model now, or load one."""

    def signal(self, pid: int, number: signal.Signals) -> None:
        """SIGKILL is a crash, SIGSTOP a hang, SIGCONT its end."""

    def log_tail(self) -> str:
        """The end of what the server printed, for the report of a failed test."""

    def stop(self) -> None:
        """Ends the server and its runners as an ordinary shutdown does."""

    def start(self) -> None:
        """Starts the server again at the same address, with the same models on disk."""


@dataclass(frozen=True)
class Loaded:
    """A line of `/api/ps`."""

    digest: str
    size: int
    size_vram: int
    context_length: int
    expires_at: datetime

    @property
    def remaining_seconds(self) -> float:
        return (self.expires_at - datetime.now(UTC)).total_seconds()


class Ollama:
    """An Ollama under test."""

    def __init__(self, processes: Processes) -> None:
        self.processes = processes
        self.http = httpx.Client(base_url=processes.base_url, timeout=PATIENCE_SECONDS)

    def post(self, path: str, **body: Any) -> httpx.Response:
        return self.http.post(path, json=body)

    def load(self, model: str, **fields: Any) -> Json:
        """Asks for the model without a prompt, which loads it and answers nothing."""
        return _json(self.post("/api/generate", model=model, **fields))

    def unload(self, model: str) -> Json:
        return self.load(model, keep_alive=0)

    def say(self, model: str, **fields: Any) -> Json:
        """Lets the model say two words, the same at every time."""
        options = {"num_predict": 2, "temperature": 0, **fields.pop("options", {})}
        body = {"model": model, "prompt": "hi", "stream": False, "options": options, **fields}
        return _json(self.post("/api/generate", **body))

    @contextmanager
    def talking(self, model: str, words: int = 2000, **fields: Any) -> Iterator[Iterator[Json]]:
        """The lines of a long answer, as they come; leaving the block hangs up."""
        body = {"model": model, "prompt": "hi", "options": {"num_predict": words}, **fields}
        with self.http.stream("POST", "/api/generate", json=body) as response:
            assert response.status_code == 200, response.read()
            yield (json.loads(line) for line in response.iter_lines())

    @contextmanager
    def hanging_up(self, path: str, **body: Any) -> Iterator[None]:
        """Sends a request, and hangs up at the end of the block without having read the answer."""
        content = json.dumps(body).encode()
        url = self.http.base_url
        head = f"POST {path} HTTP/1.1\r\nHost: {url.host}\r\nContent-Length: {len(content)}\r\n\r\n"
        with socket.create_connection((url.host, url.port)) as connection:
            connection.sendall(head.encode() + content)
            yield

    def installed(self) -> dict[str, str]:
        """The digests of the models on disk, by full name."""
        models = _json(self.http.get("/api/tags"))["models"]
        return {model["name"]: model["digest"] for model in models}

    def ps(self) -> dict[str, Loaded]:
        """The loaded models by name, without the tag."""
        return {model["name"].removesuffix(":latest"): _loaded(model) for model in self.ps_lines()}

    def ps_lines(self) -> list[Json]:
        """The answer of `/api/ps` as it is; it may list one name twice."""
        return list(_json(self.http.get("/api/ps"))["models"])

    def expiry(self, model: str) -> datetime:
        return self.ps()[model].expires_at

    def settled_expiry(self, model: str) -> datetime:
        """The expiry of a model that was loaded just now, once it stands still.

        It is set a moment after the answer. Until then each look finds another one, counted from
        now, and Ollama takes the model for busy.
        """
        eventually(lambda: self.expiry(model) == self.expiry(model), "an expiry that stays")
        return self.expiry(model)

    def runner(self) -> int:
        """The one process that holds a model."""
        (runner,) = self.processes.runners()
        return runner

    def settled_runner(self) -> int:
        """The same, once there is one: for a moment there may be none, or two."""
        eventually(lambda: len(self.processes.runners()) == 1, "one runner")
        return self.runner()


class Launch(Protocol):
    """Starts an Ollama with the small models and some more, and these environment variables."""

    def __call__(self, more: Mapping[str, Model] = NOTHING, **environment: str) -> Ollama: ...


def eventually(condition: Callable[[], object], what: str) -> None:
    """Returns when the condition holds; fails the test when it does not for too long."""
    wait_until(lambda: bool(condition()), what, PATIENCE_SECONDS)


def _json(response: httpx.Response) -> Json:
    assert response.status_code == 200, response.text
    return dict(response.json())


def _loaded(entry: Json) -> Loaded:
    return Loaded(
        digest=entry["digest"],
        size=entry["size"],
        size_vram=entry["size_vram"],
        context_length=entry["context_length"],
        expires_at=datetime.fromisoformat(entry["expires_at"]),
    )
