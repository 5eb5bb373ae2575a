"""The simulator answers as the real Ollama does: status, headers, and the shape of every body.

What differs from one answer to the next (times, counts, words, vectors) is compared by its kind;
what is said in words, by its words.
"""

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx
import pytest

from bed import models, ollama
from contract.simulator import serving as simulator

MODELS = {
    "tiny": models.tiny(),
    "embedding": models.embedding(),
    "variant": models.tiny().with_parameters(num_ctx=512, stop=["a", "b"], temperature=0.5),
}
WEIGHTS = models.tiny().weights.digest
NOBODY = "sha256:" + "0" * 64

THREE = {"num_predict": 3, "temperature": 0}
HELLO = [{"role": "user", "content": "hi"}]

# Texts that are compared as they are; all others are words of a model, names or times.
TELLING = {
    "error", "message", "status", "done_reason", "role", "object", "finish_reason", "type",
    "template", "model", "name", "system_fingerprint", "owned_by", "digest",
    "family", "format", "parameter_size", "quantization_level", "id", "version", "parent_model",
}  # fmt: skip
VARIES = re.compile(r"/\S+/blobs/|chatcmpl-\d+|cmpl-\d+")


@dataclass(frozen=True)
class Pair:
    """Both kinds of server, with the same models."""

    real: httpx.Client
    simulated: httpx.Client


@pytest.fixture(scope="module")
def pair() -> Iterator[Pair]:
    with (
        ollama.serving(MODELS) as real,
        simulator.serving(MODELS) as simulated,
        httpx.Client(base_url=real.base_url, timeout=60) as first,
        httpx.Client(base_url=simulated.base_url, timeout=60) as second,
    ):
        yield Pair(first, second)


ASKED: dict[str, tuple[str, str, Any]] = {
    "the root": ("GET", "/", None),
    "the root, head only": ("HEAD", "/", None),
    "the version": ("GET", "/api/version", None),
    "the models": ("GET", "/api/tags", None),
    "the models, head only": ("HEAD", "/api/tags", None),
    "nothing loaded": ("GET", "/api/ps", None),
    "no such path": ("GET", "/nope", None),
    "another method": ("POST", "/api/version", None),
    "a method that is not for it": ("GET", "/api/generate", None),
    "what a model is": ("POST", "/api/show", {"model": "tiny"}),
    "what an embedding model is": ("POST", "/api/show", {"model": "embedding"}),
    "what a variant is": ("POST", "/api/show", {"model": "variant"}),
    "what nothing is": ("POST", "/api/show", {}),
    "a load": ("POST", "/api/generate", {"model": "tiny"}),
    "an answer": ("POST", "/api/generate", {"model": "tiny", "prompt": "hi", "options": THREE}),
    "an answer at once": (
        "POST",
        "/api/generate",
        {"model": "tiny", "prompt": "hi", "options": THREE, "stream": False},
    ),
    "a load by chat": ("POST", "/api/chat", {"model": "tiny"}),
    "a chat": ("POST", "/api/chat", {"model": "tiny", "messages": HELLO, "options": THREE}),
    "a chat at once": (
        "POST",
        "/api/chat",
        {"model": "tiny", "messages": HELLO, "options": THREE, "stream": False},
    ),
    "an empty embedding": ("POST", "/api/embed", {"model": "embedding"}),
    "an embedding": ("POST", "/api/embed", {"model": "embedding", "input": ["a"]}),
    "an old embedding": ("POST", "/api/embeddings", {"model": "embedding", "prompt": "a"}),
    "an embedding of a number": ("POST", "/api/embed", {"model": "embedding", "input": 5}),
    "what is loaded": ("GET", "/api/ps", None),
    "the models, for OpenAI": ("GET", "/v1/models", None),
    "one model, for OpenAI": ("GET", "/v1/models/tiny", None),
    "no model, for OpenAI": ("GET", "/v1/models/nobody", None),
    "a chat completion": (
        "POST",
        "/v1/chat/completions",
        {"model": "tiny", "messages": HELLO, "max_tokens": 2},
    ),
    "a streamed chat completion": (
        "POST",
        "/v1/chat/completions",
        {
            "model": "tiny",
            "messages": HELLO,
            "max_tokens": 2,
            "stream": True,
            "stream_options": {"include_usage": True},
        },
    ),
    "a chat completion by nobody": (
        "POST",
        "/v1/chat/completions",
        {"model": "nobody", "messages": HELLO},
    ),
    "a chat completion of nothing": ("POST", "/v1/chat/completions", {"model": "tiny"}),
    "a chat completion that is no JSON": ("POST", "/v1/chat/completions", b"{nonsense"),
    "a chat completion without a body": ("POST", "/v1/chat/completions", None),
    "a completion": ("POST", "/v1/completions", {"model": "tiny", "prompt": "hi", "max_tokens": 2}),
    "a streamed completion": (
        "POST",
        "/v1/completions",
        {"model": "tiny", "prompt": "hi", "max_tokens": 2, "stream": True},
    ),
    "embeddings for OpenAI": ("POST", "/v1/embeddings", {"model": "embedding", "input": "a"}),
    "embeddings of nothing for OpenAI": ("POST", "/v1/embeddings", {"model": "embedding"}),
    "half of a JSON": ("POST", "/api/generate", b'{"model":'),
    "a word that is no JSON": ("POST", "/api/generate", b"nonsense"),
    "quotes that are no JSON": ("POST", "/api/generate", b"{'a'}"),
    "a list": ("POST", "/api/generate", b"[]"),
    "a model that is a number": ("POST", "/api/generate", {"model": 5}),
    "a prompt that is a number": ("POST", "/api/generate", {"model": "tiny", "prompt": 3}),
    "a stream that is a text": ("POST", "/api/generate", {"model": "tiny", "stream": "x"}),
    "something behind the JSON": ("POST", "/api/generate", b'{"model":"tiny"} x'),
    "no model": ("POST", "/api/generate", {}),
    "no model to chat": ("POST", "/api/chat", {}),
    "thinking that it cannot": (
        "POST",
        "/api/generate",
        {"model": "tiny", "prompt": "hi", "think": True},
    ),
    "tools that it cannot use": (
        "POST",
        "/api/chat",
        {
            "model": "tiny",
            "messages": HELLO,
            "tools": [{"type": "function", "function": {"name": "x"}}],
        },
    ),
    "a suffix that it cannot use": (
        "POST",
        "/api/generate",
        {"model": "tiny", "prompt": "hi", "suffix": "x"},
    ),
    "a copy": ("POST", "/api/copy", {"source": "tiny", "destination": "alias"}),
    "a copy of nothing": ("POST", "/api/copy", {"source": "nobody", "destination": "alias"}),
    "a copy to nowhere": ("POST", "/api/copy", {"source": "tiny"}),
    "a removal": ("DELETE", "/api/delete", {"model": "alias"}),
    "the same removal again": ("DELETE", "/api/delete", {"model": "alias"}),
    "a removal of nothing": ("DELETE", "/api/delete", {}),
    "a new variant": (
        "POST",
        "/api/create",
        {"model": "made", "from": "tiny", "parameters": {"num_ctx": 512}},
    ),
    "a new variant at once": (
        "POST",
        "/api/create",
        {"model": "made2", "from": "tiny", "system": "be", "stream": False},
    ),
    "a variant of nothing": ("POST", "/api/create", {"model": "made2"}),
    "what the new variant is": ("POST", "/api/show", {"model": "made"}),
    "a blob that is there": ("HEAD", f"/api/blobs/{WEIGHTS}", None),
    "a blob that is not there": ("HEAD", f"/api/blobs/{NOBODY}", None),
    "a blob that is none": ("HEAD", "/api/blobs/xx", None),
    "a blob with another digest": ("POST", f"/api/blobs/{NOBODY}", b"x"),
    "a model from a blob": ("POST", "/api/create", {"model": "made3", "files": {"m": WEIGHTS}}),
    "a pull from nowhere": (
        "POST",
        "/api/pull",
        {"model": "127.0.0.1:9/library/tiny:latest", "insecure": True},
    ),
    "a pull from nowhere at once": (
        "POST",
        "/api/pull",
        {"model": "127.0.0.1:9/library/tiny:latest", "insecure": True, "stream": False},
    ),
    "a pull of nothing": ("POST", "/api/pull", {}),
    "a pull of an impossible name": ("POST", "/api/pull", {"model": "a b"}),
}


# In this order: some look at what the one before has left.
@pytest.mark.parametrize("name", ASKED)
def test_both_answer_alike(pair: Pair, name: str) -> None:
    method, path, body = ASKED[name]
    content = body if isinstance(body, bytes) or body is None else json.dumps(body)
    real = pair.real.request(method, path, content=content)
    simulated = pair.simulated.request(method, path, content=content)
    assert simulated.status_code == real.status_code
    assert headers(simulated) == headers(real)
    assert shapes(simulated) == shapes(real)


def headers(answer: httpx.Response) -> dict[str, str]:
    """The headers, without the values that differ each time."""
    # How a body of some length is cut is the server's own affair.
    own = {"date", "content-length", "transfer-encoding"}
    return {name: value for name, value in answer.headers.items() if name not in own}


def shapes(answer: httpx.Response) -> list[Any]:
    """What the body is like: each kind of line once, in the order in which they come first."""
    lines = [line.removeprefix("data: ") for line in answer.text.splitlines() if line]
    found: list[Any] = []
    for line in lines:
        shape = shaped(json.loads(line)) if line.startswith("{") else line
        if shape not in found:
            found.append(shape)
    return found


def shaped(value: Any, key: str = "") -> Any:
    """A value without what differs each time."""
    if isinstance(value, dict):
        return {name: shaped(part, name) for name, part in sorted(value.items())}
    if isinstance(value, list):
        # The order of what is equally new is a matter of chance.
        return sorted((shaped(part, key) for part in value), key=repr)[:1]
    if key == "parameters":
        return sorted(value.splitlines())
    if isinstance(value, str):
        return VARIES.sub("…", value) if key in TELLING else "a text"
    return value if value is None or isinstance(value, bool) else "a number"
