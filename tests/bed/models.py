"""Models small enough to make on the spot: GGUF files with random weights, and their manifests.

They say nothing sensible, but Ollama loads, runs and reports them like any other model, and that
is all that the tests look at.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from bed import gguf_files
from bed.cache import cached, digest_of

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."

_WEIGHTS = {
    "tiny": lambda path: gguf_files.write_llama(path, gguf_files.TINY, seed=1),
    "other": lambda path: gguf_files.write_llama(path, gguf_files.TINY, seed=2),
    "big": lambda path: gguf_files.write_llama(path, gguf_files.BIG, seed=3),
    "unseen": lambda path: gguf_files.write_llama(path, gguf_files.TINY, seed=5),
    "embedding": lambda path: gguf_files.write_bert(path, gguf_files.TINY, seed=4),
}


@dataclass(frozen=True)
class Blob:
    """One content-addressed file of a model: weights on disk, or a few bytes of JSON."""

    kind: str
    digest: str
    size: int
    source: Path | bytes

    @classmethod
    def of_bytes(cls, kind: str, content: bytes) -> "Blob":
        digest = "sha256:" + hashlib.sha256(content).hexdigest()
        return cls(kind, digest, len(content), content)

    def descriptor(self) -> dict[str, str | int]:
        """How a manifest refers to this blob."""
        return {"mediaType": self.kind, "digest": self.digest, "size": self.size}

    def place(self, path: Path) -> None:
        """Puts this blob at `path`; big files are linked where the file system allows."""
        path.parent.mkdir(parents=True, exist_ok=True)
        if isinstance(self.source, bytes):
            path.write_bytes(self.source)
            return
        try:
            os.link(self.source, path)
        except OSError:
            shutil.copyfile(self.source, path)


@dataclass(frozen=True)
class Model:
    """A model as a registry and Ollama's store see it: a manifest and the blobs that it names."""

    config: Blob
    layers: tuple[Blob, ...]

    @property
    def blobs(self) -> tuple[Blob, ...]:
        return (*self.layers, self.config)

    @property
    def weights(self) -> Blob:
        return self.layers[0]

    @cached_property
    def manifest(self) -> bytes:
        document = {
            "schemaVersion": 2,
            "mediaType": MANIFEST_TYPE,
            "config": self.config.descriptor(),
            "layers": [layer.descriptor() for layer in self.layers],
        }
        return json.dumps(document, separators=(",", ":")).encode()

    @property
    def digest(self) -> str:
        """What `/api/tags` and `/api/ps` call `digest`: the manifest's, without `sha256:`."""
        return hashlib.sha256(self.manifest).hexdigest()

    def with_parameters(self, **parameters: Any) -> "Model":
        """The same weights under another manifest, as `PARAMETER` in a Modelfile gives."""
        content = json.dumps(parameters, sort_keys=True).encode()
        blob = Blob.of_bytes(LAYER_TYPE + "params", content)
        return Model(self.config, (*self.layers, blob))

    def install(self, store: Path, name: str) -> None:
        """Puts this model into an Ollama store, as if `name` had been pulled from its home."""
        for blob in self.blobs:
            path = store / "blobs" / blob.digest.replace(":", "-")
            if not path.exists():
                blob.place(path)
        path = store / "manifests/registry.ollama.ai/library" / name / "latest"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.manifest)


def tiny() -> Model:
    """Half a megabyte that answers text; loads in a fraction of a second."""
    return _model("tiny", "llama")


def other() -> Model:
    """Like `tiny`, with other weights: another digest, another place in the scheduler."""
    return _model("other", "llama")


def unseen() -> Model:
    """A third of the kind of `tiny`, to be pulled by servers that have all the others."""
    return _model("unseen", "llama")


def embedding() -> Model:
    """A BERT that answers vectors and refuses to generate."""
    return _model("embedding", "bert")


def big() -> Model:
    """807 MB that answers text; its load is long enough to be seen and interrupted."""
    return _model("big", "llama")


def _model(weights: str, family: str) -> Model:
    source = _weights_file(weights)
    digest = (source.parent / "digest").read_text()
    blob = Blob(LAYER_TYPE + "model", digest, source.stat().st_size, source)
    return Model(_config(family, digest), (blob,))


def _weights_file(name: str) -> Path:
    def build(folder: Path) -> None:
        path = folder / "model.gguf"
        _WEIGHTS[name](path)
        with path.open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        (folder / "digest").write_text(f"sha256:{digest}")

    key = digest_of(Path(gguf_files.__file__), name)
    return cached("models", key, build) / "model.gguf"


def _config(family: str, weights_digest: str) -> Blob:
    document: Mapping[str, Any] = {
        "model_format": "gguf",
        "model_family": family,
        "model_families": [family],
        "model_type": "random",
        "file_type": "F32",
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [weights_digest]},
    }
    return Blob.of_bytes(CONFIG_TYPE, json.dumps(document).encode())
