"""The images, as the project's own Dockerfile makes them from the bed's base."""

from dataclasses import dataclass
from pathlib import PurePosixPath

import pytest

from bed import images
from contract.images.archive import Archive, File


@dataclass(frozen=True)
class Built:
    """An image, and what its own layers bring beside those of its base."""

    target: str
    archive: Archive
    files: dict[str, File]

    def text(self, name: str) -> str:
        """What one of its own files holds."""
        return self.files[name].content.decode()

    def named(self, ending: str) -> list[PurePosixPath]:
        """Its own files whose names end so."""
        return [PurePosixPath(name) for name in self.files if name.endswith(ending)]


@pytest.fixture(scope="session", params=["operator", "sidecar", "simulator"])
def built(request: pytest.FixtureRequest) -> Built:
    """One of the images; every test that asks for it is made for each."""
    archive = Archive(images.project_image(request.param).archive)
    return Built(request.param, archive, own_files(archive))


def own_files(archive: Archive) -> dict[str, File]:
    """What an image's layers bring beside those of its base."""
    base = Archive(images.base_image().archive).layers
    assert archive.layers[: len(base)] == base
    own = archive.layers[len(base) :]
    return {name: file for layer in own for name, file in archive.files(layer).items()}
