"""The programs of a bed: started in the bed's cgroup, recorded, and found again by a later run."""

import json
import os
import signal
import subprocess
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from bed.cgroup import tracking_folder
from bed.errors import BedError
from bed.layout import Bed
from bed.progress import wait_until

# Joins the cgroup before anything else runs, so that no child can be born outside it, and leaves
# the program to the real machine's first process: it outlives us, and is no zombie of ours later.
LAUNCH = 'echo 0 > "$0/cgroup.procs"; log=$1; shift; "$@" >>"$log" 2>&1 & echo $!'


@dataclass(frozen=True)
class Program:
    """What to run, under a name that is unique in its bed, such as `node-1.kubelet`."""

    name: str
    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)


def start(bed: Bed, program: Program, inherited: Sequence[int] = ()) -> int:
    """Starts the program unless it runs; its pid. `inherited` are file descriptors it gets."""
    pid = running(bed, program.name)
    if pid is not None:
        return pid
    log = log_of(bed, program.name)
    log.parent.mkdir(parents=True, exist_ok=True)
    cgroup = tracking_folder(f"{bed.cgroup}/programs")
    launched = subprocess.run(
        ["sh", "-c", LAUNCH, str(cgroup), str(log), *program.argv],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        env={**os.environ, **program.env},
        cwd="/",
        start_new_session=True,
        pass_fds=inherited,
        check=True,
        text=True,
    )
    pid = int(launched.stdout)
    record = {"pid": pid, "started": _start_time(pid), **asdict(program)}
    _record(bed, program.name).parent.mkdir(exist_ok=True)
    _record(bed, program.name).write_text(json.dumps(record))
    return pid


def running(bed: Bed, name: str) -> int | None:
    """The pid of the program, or None when it was not started or has ended."""
    try:
        record = json.loads(_record(bed, name).read_text())
    except FileNotFoundError:
        return None
    started = _start_time(record["pid"])
    # Pids are used again: one that started at another time is somebody else's.
    return record["pid"] if started and started == record["started"] else None


def stop(bed: Bed, name: str, with_signal: signal.Signals = signal.SIGTERM) -> None:
    """Ends one program and waits for its end; `lifecycle.up` brings it back."""
    pid = running(bed, name)
    if pid is not None:
        os.kill(pid, with_signal)
        wait_until(lambda: running(bed, name) is None, f"the end of {name}", seconds=30)


def started_names(bed: Bed) -> list[str]:
    """Every program that was started in this bed, oldest first."""
    records = sorted(
        (bed.folder / "programs").glob("*.json"), key=lambda file: file.stat().st_mtime
    )
    return [record.stem for record in records]


def wait_for(bed: Bed, name: str, condition: Callable[[], bool], what: str, seconds: float) -> None:
    """Waits for what the program is to bring about; says what its log ends with when it dies."""

    def holds() -> bool:
        if condition():
            return True
        if running(bed, name) is None:
            raise BedError(f"{name} ended while {what} was waited for:\n{tail(bed, name)}")
        return False

    try:
        wait_until(holds, what, seconds)
    except TimeoutError as error:
        raise BedError(f"{error}; the log of {name} ends with:\n{tail(bed, name)}") from error


def log_of(bed: Bed, name: str) -> Path:
    """The file with everything the program printed."""
    return bed.folder / "logs" / f"{name}.log"


def tail(bed: Bed, name: str, lines: int = 15) -> str:
    """The last lines that the program printed."""
    return "\n".join(log_of(bed, name).read_text(errors="replace").splitlines()[-lines:])


def _record(bed: Bed, name: str) -> Path:
    return bed.folder / "programs" / f"{name}.json"


def _start_time(pid: int) -> str | None:
    """When the process started, in clock ticks since boot; None for one that ended."""
    try:
        # The second field is the program's name in brackets, and may hold spaces.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return None
    state, start_time = fields[0], fields[19]
    return None if state == "Z" else start_time
