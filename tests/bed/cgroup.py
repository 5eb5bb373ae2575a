"""The cgroups of a bed: every process of a bed is in them, so that none can be missed at its end.

A cgroup is named by its path below the root, and made in every hierarchy: one in cgroup v2, one per
controller in cgroup v1.
"""

import os
import signal
from contextlib import suppress
from pathlib import Path

from bed.progress import wait_until

ROOT = Path("/sys/fs/cgroup")


def make_cgroup(name: str) -> None:
    """Makes the cgroup and its parents."""
    for hierarchy in _hierarchies():
        folder = hierarchy
        for part in Path(name).parts:
            folder = folder / part
            folder.mkdir(exist_ok=True)
            _copy_cpuset(folder)


def tracking_folder(name: str) -> Path:
    """The folder of the cgroup whose `cgroup.procs` a process has to join to belong to it."""
    return _tracking_hierarchy() / name


def kill_all(name: str) -> None:
    """Ends every process in the cgroup and below it, without asking."""
    folder = tracking_folder(name)

    def empty() -> bool:
        pids = _pids(folder)
        for pid in pids:
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return not pids

    # Again and again: one that was about to fork has left a child behind.
    wait_until(empty, f"the end of all processes in {folder}", seconds=30)


def remove_cgroup(name: str) -> None:
    """Removes the cgroup and all below it from every hierarchy."""
    for hierarchy in _hierarchies():
        # A cgroup is busy until the last of its processes has been reaped.
        wait_until(
            lambda top=hierarchy / name: _removed(top),  # type: ignore[misc]
            f"the removal of {hierarchy / name}",
            seconds=30,
        )


def _removed(top: Path) -> bool:
    folders = [top, *(path for path in top.rglob("*") if path.is_dir())] if top.exists() else []
    for folder in reversed(folders):
        with suppress(OSError):
            folder.rmdir()
    return not top.exists()


def _hierarchies() -> list[Path]:
    if (ROOT / "cgroup.controllers").exists():
        return [ROOT]
    folders = (path for path in ROOT.iterdir() if path.is_dir() and not path.is_symlink())
    return sorted(folder for folder in folders if (folder / "cgroup.procs").exists())


def _tracking_hierarchy() -> Path:
    hierarchies = {folder.name: folder for folder in _hierarchies()}
    return hierarchies.get("pids") or next(iter(hierarchies.values()))


def _pids(folder: Path) -> list[int]:
    pids: list[int] = []
    for file in folder.rglob("cgroup.procs"):
        # A kubelet that still lives may remove the cgroup of a pod meanwhile.
        with suppress(OSError):
            pids += map(int, file.read_text().split())
    return pids


def _copy_cpuset(folder: Path) -> None:
    """A new cpuset of cgroup v1 has no processors at all, and nothing can run in it."""
    for name in ("cpuset.cpus", "cpuset.mems"):
        mine = folder / name
        if mine.exists() and (folder.parent / name).exists() and not mine.read_text().strip():
            mine.write_text((folder.parent / name).read_text())
