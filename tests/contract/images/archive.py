"""An image as its archive has it: the configuration, and the files that each layer brings."""

import gzip
import io
import json
import tarfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class File:
    """A file, a folder or a link of a layer."""

    mode: int
    owner: int
    is_link: bool
    content: bytes


class Archive:
    """An image in the OCI layout, in a tar file."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @cached_property
    def config(self) -> dict[str, Any]:
        """What the image says of itself, and of how it is run."""
        return self._json(self._manifest["config"]["digest"])

    @property
    def layers(self) -> tuple[str, ...]:
        """The digests of the layers' contents, the lowest first."""
        return tuple(self.config["rootfs"]["diff_ids"])

    def files(self, layer: str) -> dict[str, File]:
        """All that is in a layer."""
        with self._opened(layer) as unpacked:
            return {member.name: _file(unpacked, member) for member in unpacked}

    @cached_property
    def _manifest(self) -> dict[str, Any]:
        (manifest,) = json.loads(self._blob("index.json"))["manifests"]
        return self._json(manifest["digest"])

    @contextmanager
    def _opened(self, layer: str) -> Iterator[tarfile.TarFile]:
        packed = self._manifest["layers"][self.layers.index(layer)]["digest"]
        content = gzip.decompress(self._blob(_place(packed)))
        with tarfile.open(fileobj=io.BytesIO(content)) as unpacked:
            yield unpacked

    def _json(self, digest: str) -> dict[str, Any]:
        document: dict[str, Any] = json.loads(self._blob(_place(digest)))
        return document

    def _blob(self, name: str) -> bytes:
        with tarfile.open(self._path) as archive:
            file = archive.extractfile(name)
            assert file is not None, name
            return file.read()


def _file(unpacked: tarfile.TarFile, member: tarfile.TarInfo) -> File:
    opened = unpacked.extractfile(member) if member.isfile() else None
    content = opened.read() if opened else b""
    return File(member.mode, member.uid, member.issym(), content)


def _place(digest: str) -> str:
    return f"blobs/{digest.replace(':', '/')}"
