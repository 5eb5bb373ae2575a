"""What is kept on disk: a folder for each LLMDeployment that runs, or ran, on this machine.

NAMESPACE.NAME/lock          held by the `stoker up` that runs it; says who that is
               status.json   how it is, written anew at each change
               port          the port that it had last
               heat/         heat.json, as the sidecars read it
               logs/         of every process
               replicas/     what each replica has for itself
"""

import contextlib
import fcntl
import json
import os
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from stoker_api.codec import decode, encode
from stoker_operator.errors import StokerError

_WRITTEN_SECONDS = 2.0
_LOOK_SECONDS = 0.2
_STEP_SECONDS = 0.01


class RunsAlreadyError(StokerError):
    """Another `stoker up` runs it."""


def state_folder(asked: str | None) -> Path:
    """The folder that was asked for, or the user's own."""
    if asked:
        return Path(asked).absolute()
    base = os.environ.get("XDG_STATE_HOME") or Path.home() / ".local" / "state"
    return Path(base) / "stoker"


@dataclass(frozen=True)
class Owner:
    """The `stoker up` that runs an LLMDeployment."""

    pid: int
    since: float
    address: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class ProcessStatus:
    """One process of a replica."""

    name: str
    pid: int | None
    restarts: int


@dataclass(frozen=True)
class ChangeStatus:
    """One change of a replica's heat."""

    time: float
    hot: bool
    state: str
    reason: str
    message: str


@dataclass(frozen=True)
class ReplicaStatus:
    """One replica, as `stoker status` shows it."""

    number: int
    revision: str
    hot: bool
    leaving: bool
    state: str | None
    sentence: str
    ollama_port: int
    sidecar_port: int
    processes: tuple[ProcessStatus, ...]
    history: tuple[ChangeStatus, ...]


@dataclass(frozen=True)
class Status:
    """One LLMDeployment, as `stoker status` shows it."""

    name: str
    namespace: str
    model: str
    address: str
    ollama: str
    wanted: int
    hot: int
    grace_seconds: float
    """What its replicas get to end in."""
    forwarder: ProcessStatus
    warnings: tuple[str, ...]
    replicas: tuple[ReplicaStatus, ...]


class Folder:
    """The folder of one LLMDeployment."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._lock: int | None = None

    @property
    def key(self) -> str:
        return self.path.name

    @property
    def logs(self) -> Path:
        return self.path / "logs"

    @property
    def _status(self) -> Path:
        return self.path / "status.json"

    @property
    def heat_file(self) -> Path:
        return self.path / "heat" / "heat.json"

    def replica(self, number: int) -> Path:
        return self.path / "replicas" / str(number)

    def make(self) -> None:
        with _written(self.path):
            for each in (self.path, self.logs, self.heat_file.parent):
                each.mkdir(mode=0o700, parents=True, exist_ok=True)

    def forget_logs(self, before: int) -> None:
        """Removes the logs of replicas with smaller numbers."""
        for path in self.logs.glob("*-*.log*"):
            number = path.name.partition("-")[2].partition(".")[0]
            if number.isdecimal() and int(number) < before:
                path.unlink(missing_ok=True)

    # --- who runs it ----------------------------------------------------------------------------

    def take(self) -> None:
        """Takes the lock until `release`; `RunsAlreadyError` where another has it."""
        lock = os.open(self.path / "lock", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        if not _locked(lock):
            os.close(lock)
            raise RunsAlreadyError(_runs_already(self.key, self._written_owner()))
        os.truncate(lock, 0)  # the words of whoever had it before
        self._status.unlink(missing_ok=True)
        self._lock = lock

    def name_owner(self, owner: Owner) -> None:
        """Says in the lock who has it."""
        if self._lock is None:
            raise ValueError(f"{self.key} is not ours")
        os.truncate(self._lock, 0)
        os.pwrite(self._lock, json.dumps(encode(owner)).encode(), 0)

    def release(self) -> None:
        if self._lock is not None:
            os.close(self._lock)
            self._lock = None

    def owner(self) -> Owner | None:
        """Who runs it now; None where nobody does."""
        return self._written_owner() if self.is_held() else None

    def is_held(self) -> bool:
        try:
            lock = os.open(self.path / "lock", os.O_RDWR | os.O_CLOEXEC)
        except FileNotFoundError:
            return False
        try:
            # Shared, so that two who look do not take each other for the owner.
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
        finally:
            os.close(lock)
        return False

    def _written_owner(self) -> Owner | None:
        """What the lock says; the one who has just taken it writes it in a moment."""
        deadline = time.monotonic() + _WRITTEN_SECONDS
        while time.monotonic() < deadline:
            if text := (self.path / "lock").read_text():
                return decode(Owner, json.loads(text))
            time.sleep(_STEP_SECONDS)
        return None

    # --- documents ------------------------------------------------------------------------------

    def write_status(self, status: Status) -> None:
        _replace(self._status, json.dumps(encode(status), indent=2))

    def status(self) -> Status | None:
        try:
            return decode(Status, json.loads(self._status.read_text()))
        except FileNotFoundError:
            return None

    def write_heat(self, text: str) -> None:
        """For the sidecars, which read it within a second."""
        _replace(self.heat_file, text)

    def last_port(self, asked: int) -> int | None:
        """The port that it had the last time, where the same was asked for."""
        try:
            then, had = map(int, (self.path / "port").read_text().split())
        except (FileNotFoundError, ValueError):
            return None
        return had if then == asked else None

    def write_port(self, asked: int, has: int) -> None:
        _replace(self.path / "port", f"{asked} {has}\n")


def folders(root: Path) -> Iterator[Folder]:
    """Of every LLMDeployment that runs or ran here, by name."""
    if root.is_dir():
        yield from (Folder(lock.parent) for lock in sorted(root.glob("*/lock")))


def _locked(lock: int) -> bool:
    """Whether the lock is ours now; who only looks whether it is held has it for a moment."""
    deadline = time.monotonic() + _LOOK_SECONDS
    while True:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if time.monotonic() > deadline:
                return False
            time.sleep(_STEP_SECONDS)
        else:
            return True


def _replace(path: Path, text: str) -> None:
    """Readers see the old text or the new one, never a part."""
    fresh = path.with_name(f".{path.name}")
    with _written(path):
        fresh.write_text(text)
        fresh.replace(path)


@contextlib.contextmanager
def _written(path: Path) -> Iterator[None]:
    """What cannot be written is told by its name."""
    try:
        yield
    except OSError as error:
        raise StokerError(f"{path} cannot be written: {error.strerror}") from error


def _runs_already(key: str, owner: Owner | None) -> str:
    if owner is None:
        return f"{key} runs already: another `stoker up` has its folder"
    since = time.strftime("%H:%M:%S on %d %B", time.localtime(owner.since))
    return (
        f"{key} runs already: process {owner.pid} (`stoker up`) runs it since {since}, at"
        f" {owner.address}. `stoker status` shows it, `stoker down {key}` ends it"
    )
