"""What was seen, as values: all that the heart decides on.

An observation is complete in itself. It can be written down, read back and judged again
(`stoker-sidecar replay`), so it holds no handle, no clock and nothing that only this process knows.
None always means "unknown", never "nothing".
"""

from dataclasses import dataclass
from enum import StrEnum

# --- Ollama, as it answers ----------------------------------------------------------------------


@dataclass(frozen=True)
class Loaded:
    """A model that `/api/ps` lists. It may list one whose runner is gone."""

    name: str
    digest: str
    size_bytes: int
    vram_bytes: int
    context_length: int | None
    expires_at: str
    """As Ollama wrote it. It moves when a request has been answered, and only then."""
    expires_in_seconds: float | None
    """None: further away than any clock reaches, or not readable."""


@dataclass(frozen=True)
class Stored:
    """The model as it lies in Ollama's store."""

    digest: str
    size_bytes: int
    weights: str | None
    """The name of the file with the weights (`sha256-…`), by which its runner is known."""
    capabilities: tuple[str, ...]
    parameters: str | None
    quantisation: str | None
    trained_context: int | None
    """The longest context that the model was trained for."""
    requires: str | None
    """The oldest version of Ollama that can run it."""


@dataclass(frozen=True)
class Server:
    """How Ollama's API answers."""

    down: bool
    """Nothing listens there: the last connection was refused or cut."""
    error: str | None
    """Why the last call was not answered."""
    silent_seconds: float
    """How long the oldest question has been without an answer; 0 when all have theirs."""
    version: str | None
    loaded: tuple[Loaded, ...] | None
    """What `/api/ps` lists. None: not known since the start, the last load or a runner's end."""
    looked: bool
    """Whether the store has been looked into since the start, a restart or the last pull."""
    stored: Stored | None
    """The model in the store. If it was looked into and this is None, the model is not there."""


# --- its processes and connections --------------------------------------------------------------


class Life(StrEnum):
    """What a process is doing, as far as the kernel tells."""

    ALIVE = "Alive"
    STOPPED = "Stopped"
    """By a signal or a debugger: it will do nothing until somebody continues it."""
    WAITING = "Waiting"
    """Uninterruptible, in a driver or on a disk. Usual for a moment; for long it is stuck."""


Identity = tuple[int, int]
"""A process: its number and when it started, because numbers are used again."""


@dataclass(frozen=True)
class Process:
    """A process."""

    pid: int
    started: int
    """In clock ticks since the machine started, as /proc has it."""
    life: Life
    cpu_seconds: float
    """Processor time used so far."""
    page_reads: int = 0
    """How often it has waited for memory that lay on a disk (major faults): slow, but work."""

    @property
    def identity(self) -> Identity:
        return (self.pid, self.started)


@dataclass(frozen=True)
class Processes:
    """Ollama's processes, where they can be seen."""

    server: Process | None
    runner: Process | None
    """The one that holds this model."""
    others: tuple[Process, ...]
    """Runners of other models."""


@dataclass(frozen=True)
class Traffic:
    """Ollama's connections, without the sidecar's own."""

    open: int
    """Connections of clients."""
    busy: int
    """Those of them in which a request is waiting for its answer, or bytes have just moved."""
    bytes_to_clients: int
    """Sent so far on the connections there are: any change means that something was answered."""
    runner_bytes: int | None
    """Come so far from this model's runner to the server; None where it is not known."""
    runner_requests: int | None
    """Requests that the runner has been given and not begun to answer, as far as bytes tell."""
    silent_seconds: float | None = None
    """How long the longest of them has been waiting for a byte."""
    untaken: int = 0
    """Connections of clients with bytes that the client has not taken yet."""


# --- the GPUs -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Gpu:
    """One of the pod's GPUs (or MIG devices), as NVML measures it."""

    uuid: str
    name: str
    total_bytes: int | None
    used_bytes: int | None
    utilisation_ratio: float | None
    power_watts: float | None
    temperature_celsius: float | None
    uncorrected_errors: int | None


@dataclass(frozen=True)
class Gpus:
    """The pod's GPUs."""

    devices: tuple[Gpu, ...]
    unknown: str | None
    """Why nothing can be said: no library, no permission, nobody told which GPUs are the pod's."""
    lost: str | None
    """A GPU that the driver has given up, in a sentence."""
    runner_bytes: int | None
    """GPU memory that this model's runner takes; None where processes are out of sight."""
    baseline_bytes: int | None
    """What was used on the pod's GPUs when no model was loaded."""
    busy: bool | None
    """Whether any of them computes."""
    pending: bool = False
    """What is loaded has changed, and has not been measured since."""


# --- the sidecar's own doings -------------------------------------------------------------------


class Deed(StrEnum):
    """What the sidecar can do about the model."""

    PULL = "Pull"
    LOAD = "Load"
    WARM = "Warm"
    CANARY = "Canary"
    REARM = "Rearm"
    UNLOAD = "Unload"
    KILL = "Kill"
    """End the runner's process."""
    RESTART = "Restart"
    """End Ollama and its runners; the kubelet starts the container again."""


class Fault(StrEnum):
    """Why a deed failed, as far as it decides what comes next."""

    TIMED_OUT = "TimedOut"
    BUSY = "Busy"
    """Too many requests wait already (503)."""
    BAD_REQUEST = "BadRequest"
    """Ollama refuses it as it is (400)."""
    NOT_FOUND = "NotFound"
    """There is no such model, here or in the registry."""
    REFUSED = "Refused"
    """The registry wants to know who asks."""
    NO_SPACE = "NoSpace"
    NO_MEMORY = "NoMemory"
    STALLED = "Stalled"
    """No byte for too long."""
    OTHER = "Other"
    """A crash, a cut connection, and all that is worth another try."""


@dataclass(frozen=True)
class Outcome:
    """How one of them ended."""

    deed: Deed
    seconds: float
    fault: Fault | None = None
    """None: it was done."""
    error: str | None = None
    """Ollama's words, or what happened instead of an answer."""
    given_up: bool = False
    """The heart itself had it given up: its end says nothing about Ollama."""
    load_seconds: float | None = None
    """How long Ollama says that loading took within this request."""
    first_token_seconds: float | None = None
    tokens_per_second: float | None = None

    @property
    def ok(self) -> bool:
        return self.fault is None and not self.given_up


@dataclass(frozen=True)
class PullProgress:
    done_bytes: int
    total_bytes: int | None
    phase: str
    """Ollama's word for it: `pulling manifest`, `verifying sha256 digest`, …"""


# --- all of it ----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Observation:
    """Everything that was seen, as of one moment."""

    server: Server
    processes: Processes | None
    """None: they are out of sight (another machine, gVisor, no shared process namespace)."""
    traffic: Traffic | None
    gpus: Gpus | None
    """None: the model is meant to run without."""
    route: str | None
    """Why this pod's own address does not lead to this Ollama; None while nothing speaks against
    it."""
    can_kill: bool
    """Whether a runner can be ended from here."""
    can_restart: bool
    """Whether Ollama can be."""
    leaving: bool
    """The pod is on its way out."""
    outcomes: tuple[Outcome, ...] = ()
    """What has ended since the last observation."""
    pull: PullProgress | None = None

    @property
    def is_held_up(self) -> bool:
        """Whether the model may be waiting for a client that does not take its answer.

        Ollama then reads nothing more from the runner, which stands still for everybody.
        """
        return self.traffic is not None and self.traffic.untaken > 0
