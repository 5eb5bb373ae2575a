"""Container images without a container engine: built by buildah, kept as archives."""

import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from bed import debian
from bed.cache import cache_root, cached, digest_of, keep_newest
from bed.errors import BedError
from bed.golang import built_module

DOCKERFILES = Path(__file__).parent / "images"
PROJECT = Path(__file__).parents[2]

# What each target of the project's Dockerfile copies, and therefore what its image is made of.
PROJECT_SOURCES: Mapping[str, tuple[str, ...]] = {
    "operator": ("Dockerfile", "requirements", "tools/image", "crds", "operator"),
    "sidecar": ("Dockerfile", "requirements", "tools/image", "crds", "sidecar"),
    "simulator": ("Dockerfile", "requirements", "tools/image", "tests/simulator"),
}

# Every change of the sources is another image, of a hundred megabytes.
KEPT_BUILDS = 3

# Where a machine keeps what its builds need to reach a package registry, if it keeps anything.
BUILD_MOUNTS = ("/etc/ssl/certs", "/etc/pip.conf")


@dataclass(frozen=True)
class Image:
    """A built image: the name that pods call it by, and its archive."""

    tag: str
    archive: Path


def pause_image() -> Image:
    """What holds the namespaces of each pod."""
    return _image("pause", "1", {"pause": built_module("pause") / "pause"})


def base_image() -> Image:
    """Debian with Python, which the others are made from; also good for test pods."""
    return _image("base", "1", {"rootfs.tar": debian.root_archive()})


def ollama_image(program: Path, version: str) -> Image:
    """Ollama, laid out like the official image."""
    return _image("ollama", version, {"ollama": program}, base_image())


def with_gpu(image: Image, driver: Path) -> Image:
    """The image as it runs on a node with a GPU, whose driver's library is this one."""
    name = image.tag.removeprefix("localhost/").replace(":", "-")
    found = _image("gpu", name, {driver.name: driver}, image, kind="gpu-images")
    keep_newest("gpu-images", 2 * KEPT_BUILDS)  # one for each of a pod's two images
    return found


def project_image(target: str) -> Image:
    """One target of the project's own Dockerfile; its tag changes with what it is made of."""
    digest = digest_of(target, str(base_image().archive), *_project_files(target))
    tag = f"localhost/stoker-{target}:{digest}"
    archive = cached(f"stoker-{target}", digest, partial(build_project, target, tag)) / "image.tar"
    keep_newest(f"stoker-{target}", KEPT_BUILDS)
    return Image(tag, archive)


def build_project(target: str, tag: str, folder: Path, *options: str) -> None:
    """Builds a target of the project's Dockerfile into `image.tar`; sources alone decide its bytes.

    With the option `--no-cache`, without anything that an earlier build has left.
    """
    base = f"BASE=oci-archive:{base_image().archive}"
    arguments = ["--timestamp=0", f"--target={target}", f"--build-arg={base}", *options]
    _build(PROJECT, tag, folder / "image.tar", arguments)


def _image(
    name: str,
    version: str,
    files: Mapping[str, Path],
    base: Image | None = None,
    kind: str = "images",
) -> Image:
    """The image of `images/NAME/Dockerfile`, with files from the cache put beside it."""
    context, tag = DOCKERFILES / name, f"localhost/{name}:{version}"
    arguments = ["--build-arg", f"BASE=oci-archive:{base.archive}"] if base else []

    def build(folder: Path) -> None:
        with tempfile.TemporaryDirectory() as scratch:
            shutil.copytree(context, scratch, dirs_exist_ok=True)
            for file, source in files.items():
                shutil.copy(source, Path(scratch, file))
            _build(Path(scratch), tag, folder / "image.tar", arguments)

    # In the cache, another content means another path: no need to read hundreds of megabytes.
    key = digest_of(tag, context, *map(str, files.values()), *arguments)
    return Image(tag, cached(kind, key, build) / "image.tar")


def _build(context: Path, tag: str, archive: Path, arguments: list[str]) -> None:
    mounts = (f"--volume={path}:{path}:ro" for path in BUILD_MOUNTS if Path(path).exists())
    _buildah(
        "build", "--isolation=chroot", "--network=host", "--layers", *mounts, *arguments,
        f"--tag={tag}", str(context),
    )  # fmt: skip
    _buildah("push", tag, f"oci-archive:{archive}:{tag}")


def _buildah(command: str, *arguments: str) -> None:
    store = cache_root() / "buildah"
    places = (f"--root={store}/root", f"--runroot={store}/run")
    argv = ["buildah", "--storage-driver=overlay", *places, command, *arguments]
    whole = debian.with_packages(debian.unpacked(debian.IMAGES), argv)
    done = subprocess.run(whole, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"buildah {command} failed:\n{(done.stdout + done.stderr)[-3000:]}")


def _project_files(target: str) -> list[Path | bytes]:
    """The paths and contents of the sources, without what running them left beside them."""
    files = (file for name in PROJECT_SOURCES[target] for file in _files(PROJECT / name))
    return [part for file in files for part in (bytes(file.relative_to(PROJECT)), file)]


def _files(path: Path) -> list[Path]:
    if path.is_file():
        return [path]
    return sorted(f for f in path.rglob("*") if f.is_file() and "__pycache__" not in f.parts)
