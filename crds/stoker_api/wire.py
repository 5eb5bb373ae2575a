"""The contract between operator and sidecar: all that one may know of the other.

- The **arguments** of the sidecar: what a pod is made for. A change makes new pods.
- **`heat.json`**: how heat is kept. Mounted from a ConfigMap and reloaded on change. It never names
  the model: one ConfigMap spans two revisions during a roll-out, and old pods must not follow the
  new model.
- The pod condition **`stoker.dev/hot`**, and **`GET /status`**: what the sidecar says.

Each document has a version. A reader takes just the version that it knows, key by key; a new
version gets a new key in the ConfigMap (`heat.v2.json`) beside the old, so that running pods go on
reading theirs. Free of pydantic: the sidecar stays small.
"""

import json
from dataclasses import dataclass, fields
from enum import StrEnum
from typing import Any, Self

from stoker_api.codec import MalformedError, decode, encode, shown

DOMAIN = "stoker.dev"
VERSION = 1

# --- names, ports and paths ---------------------------------------------------------------------

LABEL_LLMDEPLOYMENT = f"{DOMAIN}/llmdeployment"
"""On everything that belongs to an LLMDeployment: its name."""

STANDARD_LABELS = (
    "app.kubernetes.io/component",
    "app.kubernetes.io/instance",
    "app.kubernetes.io/managed-by",
    "app.kubernetes.io/name",
    "app.kubernetes.io/part-of",
)

ANNOTATION_TREAT_AS_HOT = f"{DOMAIN}/treat-as-hot"
"""On an LLMDeployment: "true" opens its gates whatever the sidecars think (break-glass)."""

ANNOTATION_PAUSED = f"{DOMAIN}/paused"
"""On an LLMDeployment: "true" keeps the operator's hands off; pods go on by themselves."""

ANNOTATION_RESTART = f"{DOMAIN}/restart"
"""On an LLMDeployment: a new value replaces its pods, each hot before the next one leaves."""

OLLAMA_PORT = 11434
SIDECAR_PORT = 9464

READY_PATH = "/readyz"
LIVE_PATH = "/livez"
DRAIN_PATH = "/drain"
HEAT_PATH = "/heat"
STATUS_PATH = "/status"
METRICS_PATH = "/metrics"

HEAT_DIRECTORY = "/etc/stoker"
HEAT_FILE = "heat.json"

HANDS_DIRECTORY = "/run/stoker"
"""Shared by both containers: how the sidecar reaches into the other one without any privilege."""
HANDS_FIFO = "hands"
"""What the sidecar writes into it is done in the ollama container, a line each."""
RESTART_WORD = "restart"
"""End Ollama and all its runners; the kubelet starts the container again."""
END_WORD = "end"
"""With a number: end that process. In a shared process namespace both sides count alike."""
GPUS_FILE = "gpus"
"""The GPUs that the ollama container was given, as it sees them."""


class Document:
    """A versioned JSON document."""

    def to_json(self) -> str:
        """The document as text."""
        return json.dumps(encode(self), indent=2, sort_keys=True) + "\n"

    @classmethod
    def from_json(cls, text: str | bytes) -> Self:
        """The document in `text`; `MalformedError` with the place where it is none."""
        try:
            document = json.loads(text)
        # Too deep is no ValueError.
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"document: not JSON: {error}") from error
        version = document.get("version") if isinstance(document, dict) else None
        if version != VERSION:
            raise MalformedError(f"version: this Stoker reads {VERSION}, not {shown(version)}")
        return decode(cls, document)


# --- what a pod is made for ---------------------------------------------------------------------


class PullPolicy(StrEnum):
    IF_NOT_PRESENT = "IfNotPresent"
    ALWAYS = "Always"
    NEVER = "Never"


@dataclass(frozen=True)
class Arguments:
    """The sidecar's arguments, as flags: `--context-length=8192`. Unset ones are left out."""

    model: str
    digest: str | None = None
    context_length: int | None = None
    parallel: int | None = None
    batch: int | None = None
    threads: int | None = None
    gpus: int = 0
    pull_policy: PullPolicy = PullPolicy.IF_NOT_PRESENT
    insecure_registry: bool = False
    drain_timeout_seconds: float = 60

    def to_flags(self) -> list[str]:
        flags = (_flag(field.name, getattr(self, field.name)) for field in fields(self))
        return [flag for flag in flags if flag]


def _flag(name: str, value: object) -> str | None:
    flag = f"--{name.replace('_', '-')}"
    match value:
        case None | False:
            return None
        case True:
            return flag
        case float():
            return f"{flag}={value:g}"
        case _:
            return f"{flag}={value}"


# --- heat.json ----------------------------------------------------------------------------------


class SoftReason(StrEnum):
    """What may shut an open gate only where the spec opts in."""

    LATENCY = "Latency"
    OFFLOAD = "Offload"
    BUDGET = "Budget"


class OnOverBudget(StrEnum):
    WARN = "Warn"
    BLOCK = "Block"


class Api(StrEnum):
    """The APIs by which clients reach Ollama."""

    OLLAMA = "ollama"
    OPENAI = "openai"


@dataclass(frozen=True)
class Warmup:
    prompts: tuple[str, ...]
    consecutive: int
    target_first_token_seconds: float | None
    deadline_seconds: float


@dataclass(frozen=True)
class Canary:
    idle_after_seconds: float
    timeout_seconds: float
    failure_threshold: int


@dataclass(frozen=True)
class Heartbeat:
    interval_seconds: float
    canary: Canary
    stall_seconds: float | None
    """None: silence is never taken for a hang while the processor works (CPU-only)."""


@dataclass(frozen=True)
class Gate:
    shut_on: tuple[SoftReason, ...]
    treat_as_hot: bool


@dataclass(frozen=True)
class Gpu:
    memory_budget_bytes: int | None
    on_over_budget: OnOverBudget
    min_offload_ratio: float | None


@dataclass(frozen=True)
class Routing:
    service_url: str | None
    """The URL that clients in the cluster use; None where there is no Service."""
    apis: tuple[Api, ...]


@dataclass(frozen=True)
class HeatConfig(Document):
    """`heat.json`: how heat is kept, in a form that needs no further interpretation."""

    keep_alive_seconds: int
    """-1: without end."""
    warmup: Warmup
    heartbeat: Heartbeat
    gate: Gate
    gpu: Gpu | None
    routing: Routing
    version: int = VERSION


# --- what the sidecar says ----------------------------------------------------------------------

HOT_CONDITION = f"{DOMAIN}/hot"


class HeatState(StrEnum):
    """Where a pod's model is on its way to heat, or away from it."""

    UNREACHABLE = "Unreachable"
    ABSENT = "Absent"
    PULLING = "Pulling"
    VERIFYING = "Verifying"
    LOADING = "Loading"
    WARMING = "Warming"
    HOT = "Hot"
    SUSPECT = "Suspect"
    COLD = "Cold"
    STUCK = "Stuck"
    BLOCKED = "Blocked"


@dataclass(frozen=True)
class HotCondition:
    """The pod condition that is the gate."""

    hot: bool
    reason: str
    message: str
    last_transition_time: str

    def to_condition(self) -> dict[str, str]:
        return {
            "type": HOT_CONDITION,
            "status": "True" if self.hot else "False",
            "reason": self.reason,
            "message": self.message,
            "lastTransitionTime": self.last_transition_time,
        }

    @classmethod
    def of(cls, conditions: list[dict[str, Any]]) -> Self | None:
        """The gate among a pod's conditions, or None where the sidecar has said nothing yet."""
        for condition in conditions:
            if condition.get("type") == HOT_CONDITION:
                return cls(
                    hot=condition.get("status") == "True",
                    reason=condition.get("reason", ""),
                    message=condition.get("message", ""),
                    last_transition_time=condition.get("lastTransitionTime", ""),
                )
        return None


@dataclass(frozen=True)
class HeatEvent:
    """The gate, as `GET /heat` tells it: at once, and at each change of it or of its reason."""

    hot: bool
    state: HeatState
    reason: str
    message: str

    def to_line(self) -> str:
        """As one line of JSON."""
        return json.dumps(encode(self))

    @classmethod
    def from_line(cls, text: str | bytes) -> Self:
        """The event in `text`; `MalformedError` where it is none."""
        try:
            return decode(cls, json.loads(text))
        except (ValueError, RecursionError) as error:
            raise MalformedError(f"event: {error}") from error


HEAT_SILENCE_SECONDS = 10.0
"""Where nothing changes for so long, `GET /heat` sends a comment: who hears none has no sidecar."""


@dataclass(frozen=True)
class ModelFigures:
    """The model as Ollama has it."""

    name: str
    digest: str
    size_bytes: int
    parameters: str | None
    quantisation: str | None
    context_length: int | None


@dataclass(frozen=True)
class Residency:
    """Where the loaded model is."""

    total_bytes: int
    vram_bytes: int
    expires_at: str | None


@dataclass(frozen=True)
class GpuFigures:
    """One of the pod's GPUs, as NVML measures it; None where it does not say."""

    uuid: str
    name: str
    total_bytes: int | None
    used_bytes: int | None
    utilisation_ratio: float | None
    power_watts: float | None
    temperature_celsius: float | None


@dataclass(frozen=True)
class Latency:
    """What answers take while the model is hot; None until measured."""

    first_token_p50_seconds: float | None
    first_token_p95_seconds: float | None
    tokens_per_second: float | None


@dataclass(frozen=True)
class Pull:
    """A pull under way."""

    done_bytes: int
    total_bytes: int | None


@dataclass(frozen=True)
class ColdStart:
    """What the last start took, phase by phase; None for a phase that did not happen."""

    pull_seconds: float | None
    verify_seconds: float | None
    load_seconds: float | None
    first_token_seconds: float | None


@dataclass(frozen=True)
class Route:
    """Whether a client's way, on one API, leads to this very model."""

    api: Api
    ok: bool
    reason: str
    message: str


@dataclass(frozen=True)
class Counters:
    """What happened since the sidecar started."""

    transitions: int
    heat_losses: int
    reloads: int
    recoveries: int
    canaries: int
    config_errors: int


DEADLINE_FIELD = "warmup.deadline"
"""Stands in the warning of a sidecar that has seen no progress for so long."""
BUDGET_FIELD = "gpu.memoryBudget"
"""Stands in the warning of a sidecar whose model takes more than that."""


@dataclass(frozen=True)
class Status(Document):
    """`GET /status`: everything that the sidecar knows, as of now."""

    state: HeatState
    hot: bool
    reason: str
    message: str
    since: str
    sees_processes: bool
    """False where the runner's process is out of sight: losses are then noticed later."""
    config_error: str | None
    """Why the newest `heat.json` is not in force; the last good one is."""
    model: ModelFigures | None
    residency: Residency | None
    gpus: tuple[GpuFigures, ...]
    latency: Latency
    pull: Pull | None
    cold_start: ColdStart
    routes: tuple[Route, ...]
    counters: Counters
    warnings: tuple[str, ...] = ()
    """What is less than was asked for, and what cannot be seen, in sentences."""
    version: int = VERSION
