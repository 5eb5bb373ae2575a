"""The models on disk, in Ollama's own layout: manifests that name blobs by their digest.

It is a real store: what the real Ollama installed is found here, and the other way round.
"""

import hashlib
import json
import re
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from stoker_simulator.gguf import Header, read_header
from stoker_simulator.names import Name

Json = dict[str, Any]

MANIFEST_TYPE = "application/vnd.docker.distribution.manifest.v2+json"
CONFIG_TYPE = "application/vnd.docker.container.image.v1+json"
LAYER_TYPE = "application/vnd.ollama.image."

DEFAULT_TEMPLATE = "{{ .Prompt }}"

_DIGEST = re.compile(r"sha256[:-][0-9a-f]{64}")


@dataclass(frozen=True)
class Installed:
    """A model on disk."""

    name: Name
    digest: str
    manifest: Json
    modified_at: int
    """Nanoseconds since 1970."""
    config: Json
    weights: Path
    header: Header
    parameters: Json
    template: str
    system: str

    @property
    def size(self) -> int:
        return sum(blob["size"] for blob in blobs_of(self.manifest))

    @property
    def weights_bytes(self) -> int:
        return int(next(layer["size"] for layer in self.manifest["layers"] if _is(layer, "model")))

    @property
    def parent(self) -> str:
        return str(
            next(layer for layer in self.manifest["layers"] if _is(layer, "model")).get("from", "")
        )

    @property
    def capabilities(self) -> list[str]:
        """What it can do, from its weights and its template, like Ollama."""
        found = ["embedding" if self.header.is_embedding else "completion"]
        if f"{self.header.architecture}.vision.block_count" in self.header.values:
            found.append("vision")
        for name, mark in (("tools", ".Tools"), ("insert", ".Suffix"), ("thinking", "<think>")):
            if mark in self.template:
                found.append(name)
        return found

    @property
    def details(self) -> Json:
        """What `/api/tags` and `/api/ps` tell of it."""
        return {
            "parent_model": "",
            "format": self.config.get("model_format", ""),
            "family": self.config.get("model_family", ""),
            "families": self.config.get("model_families"),
            "parameter_size": self.config.get("model_type", ""),
            "quantization_level": self.config.get("file_type", ""),
        }


class Store:
    """A folder of models."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._read: dict[Path, tuple[int, Installed]] = {}
        self._headers: dict[Path, Header] = {}

    def find(self, name: Name) -> Installed | None:
        """The model of this name."""
        path = self.manifest_path(name)
        try:
            modified_at = path.stat().st_mtime_ns
        except (FileNotFoundError, NotADirectoryError):
            return None
        known = self._read.get(path)
        if known is None or known[0] != modified_at:
            known = (modified_at, self._installed(name, path.read_bytes(), modified_at))
            self._read[path] = known
        return known[1]

    def all(self) -> Iterator[Installed]:
        """Every model, the one that changed last first."""
        paths = (self.folder / "manifests").glob("*/*/*/*")
        names = (Name(*path.relative_to(self.folder / "manifests").parts) for path in paths)
        models = [model for name in names if (model := self.find(name))]
        yield from sorted(models, key=lambda model: model.modified_at // 10**9, reverse=True)

    def manifest_path(self, name: Name) -> Path:
        return self.folder / "manifests" / name.path

    def blob_path(self, digest: str) -> Path:
        """Where the blob of this digest lies, or would; ValueError if that is none."""
        if not _DIGEST.fullmatch(digest):
            raise ValueError("invalid digest format")
        return self.folder / "blobs" / digest.replace(":", "-")

    def put_blob(self, kind: str, content: bytes) -> Json:
        """Writes a small blob; its descriptor, for a manifest."""
        digest = f"sha256:{hashlib.sha256(content).hexdigest()}"
        path = self.blob_path(digest)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        return {"mediaType": kind, "digest": digest, "size": len(content)}

    def put_file(self, path: Path, content: IO[bytes]) -> None:
        """Writes a blob of any size: all of it is there, or nothing."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}-partial")
        content.seek(0)
        try:
            with partial.open("wb") as file:
                shutil.copyfileobj(content, file)
        except OSError:
            partial.unlink()
            raise
        partial.rename(path)

    def put_manifest(self, name: Name, content: bytes) -> None:
        """Installs the model that this manifest makes of its blobs."""
        path = self.manifest_path(name)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    def copy(self, source: Name, destination: Name) -> None:
        self.put_manifest(destination, self.manifest_path(source).read_bytes())

    def delete(self, name: Name) -> None:
        """Removes a model, and the blobs that no other one needs."""
        path = self.manifest_path(name)
        blobs = blobs_of(json.loads(path.read_bytes()))
        path.unlink()
        self.prune(blobs)

    def prune(self, blobs: Iterable[Json]) -> bool:
        """Removes those of these blobs that no model needs; whether there were any."""
        kept = {blob["digest"] for model in self.all() for blob in blobs_of(model.manifest)}
        unused = {blob["digest"] for blob in blobs} - kept
        for digest in unused:
            self.blob_path(digest).unlink(missing_ok=True)
        return bool(unused)

    def header(self, weights: Path) -> Header:
        """What these weights say of themselves."""
        if weights not in self._headers:
            self._headers[weights] = read_header(weights)
        return self._headers[weights]

    def _installed(self, name: Name, content: bytes, modified_at: int) -> Installed:
        manifest = json.loads(content)
        layers = {
            layer["mediaType"].removeprefix(LAYER_TYPE): layer for layer in manifest["layers"]
        }
        weights = self.blob_path(layers["model"]["digest"])

        def text(kind: str) -> str:
            layer = layers.get(kind)
            return self.blob_path(layer["digest"]).read_text() if layer else ""

        return Installed(
            name=name,
            digest=hashlib.sha256(content).hexdigest(),
            manifest=manifest,
            modified_at=modified_at,
            config=json.loads(self.blob_path(manifest["config"]["digest"]).read_bytes()),
            weights=weights,
            header=self.header(weights),
            parameters=json.loads(text("params") or "{}"),
            template=text("template") or DEFAULT_TEMPLATE,
            system=text("system"),
        )


def blobs_of(manifest: Mapping[str, Any]) -> list[Json]:
    """The blobs that a manifest names, in the order in which they are pulled."""
    return [*manifest["layers"], manifest["config"]]


def manifest_of(config: Json, layers: list[Json]) -> bytes:
    """A manifest as registries serve it."""
    document = {
        "schemaVersion": 2,
        "mediaType": MANIFEST_TYPE,
        "config": config,
        "layers": layers,
    }
    return json.dumps(document, separators=(",", ":")).encode()


def _is(layer: Json, kind: str) -> bool:
    return bool(layer["mediaType"] == LAYER_TYPE + kind)
