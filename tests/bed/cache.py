"""Things that are slow to make, made once: compiled programs, models, images.

Entries live outside the tree and are named by the digest of what they were made from, so that a
change of the inputs is a new entry and an old branch still finds its own.
"""

import fcntl
import hashlib
import json
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


def cache_root() -> Path:
    """The folder of all entries: `$XDG_CACHE_HOME/stoker`, by default `~/.cache/stoker`."""
    home = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(home) / "stoker"


def cached(name: str, key: str, build: Callable[[Path], None]) -> Path:
    """The folder that `build` filled for this key; built at most once.

    `build` writes into a temporary sibling that is renamed into place when it returns: an
    interrupted or failed build leaves nothing that a later call could take for the real thing. An
    entry that has lost a file since, or a part of one, is built again.
    """
    entry = cache_root() / name / key
    if _is_whole(entry):
        return entry
    entry.parent.mkdir(parents=True, exist_ok=True)
    with locked(entry.parent / f".{key}.lock"):
        if not _is_whole(entry):
            _build_into(entry, build)
    return entry


def keep_newest(name: str, count: int) -> None:
    """Removes all entries of this name but those that were built last."""
    entries = [path for path in (cache_root() / name).iterdir() if path.name[0] != "."]
    for entry in sorted(entries, key=lambda path: path.stat().st_mtime)[:-count]:
        shutil.rmtree(entry)


def digest_of(*parts: Path | bytes | str) -> str:
    """A short digest of strings, bytes, files and folders, for `cached` keys."""
    total = hashlib.sha256()
    for part in parts:
        for piece in _pieces(part):
            # The length keeps ("ab", "c") and ("a", "bc") apart.
            total.update(len(piece).to_bytes(8, "big"))
            total.update(piece)
    return total.hexdigest()[:20]


@contextmanager
def locked(lock: Path) -> Iterator[None]:
    """Holds `lock` against other processes; the kernel lets go of it when its holder dies."""
    with lock.open("a") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _build_into(entry: Path, build: Callable[[Path], None]) -> None:
    # Whoever holds the lock is the only builder: what is left here is from one that was killed.
    for leftover in entry.parent.glob(f".{entry.name}.tmp*"):
        shutil.rmtree(leftover)
    scratch = Path(tempfile.mkdtemp(prefix=f".{entry.name}.tmp", dir=entry.parent))
    try:
        build(scratch)
        scratch.chmod(0o755)
        if entry.exists():  # and is not whole, or nobody would build it
            shutil.rmtree(entry)
        _record(entry).write_text(json.dumps(_sizes(scratch)))
        scratch.rename(entry)
    except BaseException:
        shutil.rmtree(scratch, ignore_errors=True)
        raise


def _is_whole(entry: Path) -> bool:
    """Whether the entry is as it was built, going by the names and sizes of its files."""
    try:
        recorded = json.loads(_record(entry).read_text())
    except (FileNotFoundError, ValueError):
        return False
    return entry.is_dir() and bool(_sizes(entry) == recorded)


def _record(entry: Path) -> Path:
    return entry.parent / f".{entry.name}.sizes"


def _sizes(folder: Path) -> dict[str, int]:
    files = (path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())
    return {str(path.relative_to(folder)): path.lstat().st_size for path in files}


def _pieces(part: Path | bytes | str) -> Iterator[bytes]:
    if isinstance(part, Path) and part.is_dir():
        for file in sorted(path for path in part.rglob("*") if path.is_file()):
            yield str(file.relative_to(part)).encode()
            yield file.read_bytes()
    elif isinstance(part, Path):
        yield part.read_bytes()
    else:
        yield part.encode() if isinstance(part, str) else part
