"""The files of `stoker up`, read anew when what is in them has changed."""

import asyncio
import hashlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

from stoker_operator.documents import STANDARD_INPUT

LOOK_SECONDS = 0.25
"""A change is taken up when two looks in a row have seen the same: no half-written file."""


def fingerprint(names: Sequence[str]) -> str:
    """What stands for all that is in these files and folders now."""
    digest = hashlib.sha256()
    for path in (Path(name) for name in names if name != STANDARD_INPUT):
        for file in sorted(path.iterdir()) if path.is_dir() else [path]:
            digest.update(str(file).encode())
            digest.update(_content(file))
    return digest.hexdigest()


def _content(file: Path) -> bytes:
    try:
        return file.read_bytes()
    except OSError as error:
        return type(error).__name__.encode()


async def changes(names: Sequence[str], known: str) -> AsyncIterator[None]:
    """Yields whenever there is something else in the files than what is known."""
    last = known
    while True:
        await asyncio.sleep(LOOK_SECONDS)
        seen = fingerprint(names)
        if seen == last and seen != known:
            known = seen
            yield
        last = seen
