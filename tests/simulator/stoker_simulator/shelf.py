"""Models that need no download: known by size and shape alone, and made when they are wanted.

A made model is a GGUF file with a true head and no weights behind it: a sparse file of the right
size, which takes a few kilobytes on disk.
"""

import hashlib
import json
import os
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path

from stoker_simulator import gguf
from stoker_simulator.names import Name, parse_name
from stoker_simulator.store import CONFIG_TYPE, DEFAULT_TEMPLATE, LAYER_TYPE, Store, manifest_of

_MARKS = {
    "tools": "{{ .Tools }}",
    "insert": "{{ .Suffix }}",
    "thinking": "<think>{{ .Thinking }}</think>",
}

MB = 10**6


@dataclass(frozen=True)
class Shape:
    """A model that could be: what a client can see of it."""

    name: str
    bytes: int
    parameters: int
    layers: int = 32
    width: int = 4096
    heads: int = 32
    cache_heads: int = 8
    context: int = 131_072
    family: str = "llama"
    capabilities: tuple[str, ...] = ("completion",)
    file_type: int = 15


_CHAT = ("completion", "tools")
_VISION = ("completion", "vision")
_THINKING = ("completion", "tools", "thinking")

# Sizes and shapes of models that people run, rounded.
KNOWN = (
    Shape("tinyllama", 638 * MB, 1_100 * MB, 22, 2048, 32, 4, context=2048),
    Shape("llama3.2:1b", 1_321 * MB, 1_240 * MB, 16, 2048, 32, 8, capabilities=_CHAT),
    Shape("llama3.2", 2_019 * MB, 3_210 * MB, 28, 3072, 24, 8, capabilities=_CHAT),
    Shape("phi3:mini", 2_176 * MB, 3_820 * MB, 32, 3072, 32, 32, family="phi3"),
    Shape("gemma3:4b", 3_338 * MB, 4_300 * MB, 34, 2560, 8, 4, 131_072, "gemma3", _VISION),
    Shape("qwen3:8b", 5_225 * MB, 8_190 * MB, 36, 4096, 32, 8, 40_960, "qwen3", _THINKING),
    Shape("llama3.3:70b", 42_520 * MB, 70_600 * MB, 80, 8192, 64, 8, capabilities=_CHAT),
    Shape(
        "nomic-embed-text", 274 * MB, 137 * MB, 12, 768, 12, 12, 2048, "nomic-bert", ("embedding",)
    ),
)


class Shelf:
    """The models that can be pulled without a registry."""

    def __init__(self, shapes: Iterable[Shape] = KNOWN) -> None:
        self._shapes = {parse_name(shape.name): shape for shape in shapes}

    def find(self, name: Name) -> Shape | None:
        return self._shapes.get(name)


def known_shape(name: str) -> Shape | None:
    """The model of this name that is known by itself."""
    return next((shape for shape in KNOWN if shape.name == name), None)


def known_names() -> str:
    """All of those, for people to read."""
    return ", ".join(shape.name for shape in KNOWN)


def install(store: Store, shape: Shape) -> None:
    """Makes the model and puts it into the store, unless it is there: the disk may be read-only."""
    name = parse_name(shape.name)
    found = store.find(name)
    if found is None or found.weights != store.blob_path(weights_digest(shape)):
        make_weights(store, shape)
        store.put_manifest(name, manifest(store, shape))


def make_weights(store: Store, shape: Shape, arrived: Callable[[bytes], bytes] = bytes) -> None:
    """Makes the file of the weights: a head, as it has arrived, and a hole of the right size."""
    path = store.blob_path(weights_digest(shape))
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(arrived(_head(shape)))
    os.truncate(path, shape.bytes)


def real_digest(path: Path, shape: Shape) -> str:
    """The digest of what is in this file; of made weights, only the head can be looked at."""
    head = _head(shape)
    with path.open("rb") as file:
        found = file.read(len(head))
    if found == head:
        return weights_digest(shape)
    return f"sha256:{hashlib.sha256(found).hexdigest()}"


def manifest(store: Store, shape: Shape) -> bytes:
    """The model's manifest; its small blobs are in the store then."""
    digest = weights_digest(shape)
    weights = {"mediaType": LAYER_TYPE + "model", "digest": digest, "size": shape.bytes}
    template = DEFAULT_TEMPLATE + "".join(_MARKS.get(each, "") for each in shape.capabilities)
    config = {
        "model_format": "gguf",
        "model_family": shape.family,
        "model_families": [shape.family],
        "model_type": human_count(shape.parameters),
        "file_type": gguf.QUANTIZATIONS[shape.file_type],
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [digest]},
    }
    layers = [weights, store.put_blob(LAYER_TYPE + "template", template.encode())]
    return manifest_of(store.put_blob(CONFIG_TYPE, json.dumps(config).encode()), layers)


def weights_digest(shape: Shape) -> str:
    """A name for weights that are not there: the digest of their description."""
    return f"sha256:{hashlib.sha256(json.dumps(asdict(shape)).encode()).hexdigest()}"


def human_count(parameters: int) -> str:
    """A number of parameters as Ollama writes it: `3.8B`."""
    for size, letter, digits in ((10**9, "B", 1), (10**6, "M", 2), (10**3, "K", 0)):
        if parameters >= size:
            return f"{parameters / size:.{digits if parameters % size else 0}f}{letter}"
    return str(parameters)


def _head(shape: Shape) -> bytes:
    return gguf.header(_values(shape), shape.parameters)


def _values(shape: Shape) -> dict[str, str | int | float]:
    values: dict[str, str | int | float] = {
        "general.architecture": shape.family,
        "general.file_type": shape.file_type,
        f"{shape.family}.block_count": shape.layers,
        f"{shape.family}.context_length": shape.context,
        f"{shape.family}.embedding_length": shape.width,
        f"{shape.family}.attention.head_count": shape.heads,
        f"{shape.family}.attention.head_count_kv": shape.cache_heads,
    }
    if "embedding" in shape.capabilities:
        values[f"{shape.family}.pooling_type"] = 1
    if "vision" in shape.capabilities:
        values[f"{shape.family}.vision.block_count"] = 27
    return values
