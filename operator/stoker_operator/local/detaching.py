"""`stoker up --detach`: the same in the background."""

import argparse
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from stoker_operator.documents import STANDARD_INPUT
from stoker_operator.errors import StokerError
from stoker_operator.local import state

_BEGUN_SECONDS = 30.0
_STEP_SECONDS = 0.05


def detach(arguments: argparse.Namespace, root: Path, keys: Sequence[str]) -> str:
    """Starts it, and returns once it runs, with words on how to look at it and end it."""
    if STANDARD_INPUT in arguments.files:
        raise StokerError("--detach needs files: nobody is left to write to standard input")
    root.mkdir(mode=0o700, parents=True, exist_ok=True)
    said = root / "detached.log"
    with said.open("wb") as output:
        child = subprocess.Popen(  # noqa: S603 - ourselves
            [sys.executable, "-m", "stoker_operator", "up", "--silent", *_said(arguments)],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    deadline = time.monotonic() + _BEGUN_SECONDS
    while not _owns(root, keys, child.pid):
        if child.poll() is not None:
            raise StokerError(said.read_text().strip() or "it ended at once, without a word")
        if time.monotonic() > deadline:
            child.terminate()
            raise StokerError(f"it has not begun within {_BEGUN_SECONDS:g} s: see {said}")
        time.sleep(_STEP_SECONDS)
    return (
        f"{', '.join(keys)}: in the background, as process {child.pid}\n"
        "`stoker status` shows how it is, `stoker logs NAME` what it says, `stoker down` ends it"
    )


def _said(arguments: argparse.Namespace) -> Iterator[str]:
    """The command line once more."""
    yield from (f"--filename={name}" for name in arguments.files)
    yield from (f"--listen={address}" for address in arguments.listen)
    yield f"--namespace={arguments.namespace}"
    if arguments.ollama:
        yield f"--ollama={arguments.ollama}"
    if arguments.state:
        yield f"--state={arguments.state}"


def _owns(root: Path, keys: Sequence[str], pid: int) -> bool:
    owners = {folder.key: folder.owner() for folder in state.folders(root)}
    return all((owner := owners.get(key)) is not None and owner.pid == pid for key in keys)
