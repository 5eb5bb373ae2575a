"""Programs from Debian packages, unpacked beside the system instead of installed into it.

An installed package would start its services, and containerd would push Docker's own aside.
"""

import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path

from bed.cache import cached, digest_of
from bed.errors import BedError

NODE = ("containerd", "runc", "containernetworking-plugins", "nftables")
IMAGES = ("buildah", "debootstrap")
PROMETHEUS = ("prometheus",)
BASE = ("ca-certificates", "python3", "python3-venv")


def unpacked(packages: tuple[str, ...]) -> Path:
    """The folder that holds the files of the packages, as they would lie below `/`."""

    def build(folder: Path) -> None:
        archives = folder / "archives"
        archives.mkdir()
        _apt("update", cwd=archives)
        _apt("download", *packages, *_lacking(packages), cwd=archives)
        for archive in sorted(archives.glob("*.deb")):
            _run(["dpkg-deb", "-x", str(archive), str(folder)], folder)
        shutil.rmtree(archives)

    return cached("debian", digest_of(*packages, _release()), build)


def with_packages(root: Path, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` as if the packages were installed, seen by it alone.

    It runs in a mount namespace of its own: whatever it mounts and does not unmount goes with it.
    """
    folders = [folder for folder in ("usr", "etc") if (root / folder).exists()]
    script = f'{overlaid(root, *folders)}exec "$@"'
    return ["unshare", "--mount", "sh", "-ec", script, "sh", *argv]


def overlaid(root: Path, *folders: str) -> str:
    """Shell commands that lay folders of the packages over those of the system."""
    mount = "mount -t overlay packages -o lowerdir={root}/{folder}:/{folder} /{folder}\n"
    return "".join(mount.format(root=root, folder=folder) for folder in folders)


def root_archive() -> Path:
    """The archive of a small Debian with Python, of this machine's release and package source."""

    def build(folder: Path) -> None:
        target = folder / "rootfs"
        command = [
            "debootstrap", "--variant=minbase", f"--include={','.join(BASE)}",
            _code_name(), str(target), _package_source(),
        ]  # fmt: skip
        _run(with_packages(unpacked(IMAGES), command), folder)
        leave_out = ("./var/cache/apt", "./var/lib/apt/lists", "./usr/share/doc", "./dev")
        excluded = [f"--exclude={path}/*" for path in leave_out]
        _run(["tar", "--create", "--file=rootfs.tar", *excluded, "--directory=rootfs", "."], folder)
        shutil.rmtree(target)

    return cached("debian", digest_of(*BASE, "root", _release()), build) / "rootfs.tar"


def _code_name() -> str:
    facts = dict(line.split("=", 1) for line in _release().splitlines() if "=" in line)
    return facts["VERSION_CODENAME"].strip('"')


def _package_source() -> str:
    """Where this machine's apt gets the release from."""
    targets = ("indextargets", "--format", "$(RELEASE) $(SITE)", "Created-By: Packages")
    sources = dict(line.split() for line in reversed(_apt(*targets, cwd=Path("/")).splitlines()))
    return sources[_code_name()]


def _lacking(packages: tuple[str, ...]) -> set[str]:
    """What an installation of the packages would bring along on this machine."""
    plan = _apt("install", "--simulate", "--no-install-recommends", *packages, cwd=Path("/"))
    steps = [line.split() for line in plan.splitlines()]
    # `Inst NAME [OLD] (NEW …)` upgrades something that is here already and will do.
    new = {words[1] for words in steps if words[:1] == ["Inst"] and words[2].startswith("(")}
    return new - set(packages)


def _apt(*arguments: str, cwd: Path) -> str:
    if shutil.which("apt-get") is None:
        raise BedError(
            "the test bed takes containerd, buildah and others from Debian packages, and apt-get "
            "is not here: run it on Debian or Ubuntu, or in a privileged Debian container"
        )
    return _run(["apt-get", "--quiet", *arguments], cwd)


def _run(command: list[str], cwd: Path) -> str:
    done = subprocess.run(command, cwd=cwd, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = (done.stdout + done.stderr).strip()
        raise BedError(f"{' '.join(command)} failed:\n{said[-2000:]}")
    return done.stdout


def _release() -> str:
    return Path("/etc/os-release").read_text()
