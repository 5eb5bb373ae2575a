"""The Ollama server, the options it loads the model with, and the sidecar beside it."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from stoker_api.part import Part, Rules, Unique
from stoker_api.quantities import Quantity
from stoker_api.rules import Rule
from stoker_api.scalars import Amount, Image, Threads, VariableName, between

# The newest Ollama that the contract suite (tests/contract/ollama) has been run against.
DEFAULT_IMAGE = "docker.io/ollama/ollama:0.17.4"


class Options(Part):
    """How the model is loaded.

    Pinned for the server and for every probe, because Ollama reloads the model whenever a request
    brings other options.
    """

    context_length: Annotated[int, Field(ge=1, le=16_777_216)] | None = None
    """Tokens of context of each request (`num_ctx`). Unset: Ollama chooses by the GPU memory of
    the node, from 4096 to 262144, so that unlike nodes load unlike models."""

    parallel: Annotated[int, Field(ge=1, le=256)] = 1
    """Requests that are answered side by side. Each takes its own context memory."""

    batch: Annotated[int, Field(ge=1, le=16_384)] | None = None
    """Tokens of a prompt that are read at a time (`num_batch`). Unset: Ollama chooses. Set it only
    where every client sends the same; see `threads`."""

    threads: Threads | None = None
    """CPU threads (`num_thread`). `auto`: on a CPU-only pod as many as its CPU limit allows
    (under 8 CPUs one fewer, for the server itself), because Ollama counts the node's CPUs and not
    the pod's; with a GPU, or without a CPU limit, what Ollama chooses. Unset: what Ollama chooses.

    Set it only where every client sends the same `num_thread`: Ollama takes it from requests
    alone, and loads the model anew for each that says something else or, as all on `/v1`,
    nothing."""

    flash_attention: bool | None = None
    """Flash attention on or off. Unset: Ollama decides by model and GPU."""

    kv_cache_type: Literal["f16", "q8_0", "q4_0"] | None = None
    """How the context memory is stored: `q8_0` takes half of `f16`, `q4_0` a quarter. The
    quantised kinds need `flashAttention: true`."""

    load_timeout: Annotated[timedelta, between("10s", "24h")] = timedelta(minutes=5)
    """How long a load may stand still until Ollama gives it up. Raise it for slow volumes."""

    max_queue: Annotated[int, Field(ge=1, le=1_000_000)] = 512
    """Requests that may wait for the model to be scheduled; Ollama refuses more with 503."""

    rules = (
        Rule(
            "!has(self.kvCacheType) || self.kvCacheType == 'f16'"
            " || (has(self.flashAttention) && self.flashAttention)",
            "a quantised kvCacheType works only with flash attention: set flashAttention: true, or"
            " kvCacheType: f16",
            lambda options: options.kv_cache_type in (None, "f16") or options.flash_attention,
            field="kvCacheType",
        ),
    )


class Variable(Part):
    """An environment variable with a plain value."""

    name: VariableName
    """The variable's name."""

    value: Annotated[str, Field(max_length=4096)] = ""
    """The variable's value. It is readable by whoever may read the LLMDeployment: no secrets."""


class Amounts(Part):
    """Amounts of what a node has."""

    cpu: Amount | None = None
    """CPU cores, such as `4` or `500m`."""

    memory: Amount | None = None
    """Memory, such as `16Gi`."""

    ephemeral_storage: Annotated[Amount | None, Field(alias="ephemeral-storage")] = None
    """Local disk, such as `20Gi`. An `emptyDir` model store counts towards it."""


class Resources(Part):
    """What a container asks for and may use at most. GPUs are asked for with `gpu.count`."""

    requests: Amounts = Amounts()
    """What the scheduler sets aside."""

    limits: Amounts = Amounts()
    """What the container may use at most."""

    rules = tuple(
        Rule(
            f"!has(self.?requests.{cel}) || !has(self.?limits.{cel})"
            f" || quantity(string(self.requests.{cel})).compareTo("
            f"quantity(string(self.limits.{cel}))) <= 0",
            f"requests.{name} must not be larger than limits.{name}: lower the one or raise the"
            " other",
            lambda resources, part=part: _fits(
                getattr(resources.requests, part), getattr(resources.limits, part)
            ),
            field="requests",
        )
        for name, part, cel in (
            ("cpu", "cpu", "cpu"),
            ("memory", "memory", "memory"),
            ("ephemeral-storage", "ephemeral_storage", "ephemeral__dash__storage"),
        )
    )


def _fits(request: Quantity | None, limit: Quantity | None) -> bool:
    return request is None or limit is None or request.value <= limit.value


# What Stoker sets in the ollama container itself, and the field that decides it (None: nothing).
DERIVED_VARIABLES = {
    "HOME": None,
    "OLLAMA_CONTEXT_LENGTH": "options.contextLength",
    "OLLAMA_FLASH_ATTENTION": "options.flashAttention",
    "OLLAMA_HOST": None,
    "OLLAMA_KEEP_ALIVE": "keepAlive",
    "OLLAMA_KV_CACHE_TYPE": "options.kvCacheType",
    "OLLAMA_LOAD_TIMEOUT": "options.loadTimeout",
    "OLLAMA_MAX_LOADED_MODELS": None,
    "OLLAMA_MAX_QUEUE": "options.maxQueue",
    "OLLAMA_MODELS": "storage",
    "OLLAMA_NOPRUNE": "storage",
    "OLLAMA_NO_CLOUD": None,
    "OLLAMA_NUM_PARALLEL": "options.parallel",
}
_DEVICE_PREFIX = "NVIDIA_"

_NOT_DERIVED = Rule(
    f"self.all(v, !(v.name in {sorted(DERIVED_VARIABLES)})"
    f" && !v.name.startsWith('{_DEVICE_PREFIX}'))",
    "must not set what Stoker decides. Set instead: "
    + ", ".join(f"{field} for {name}" for name, field in DERIVED_VARIABLES.items() if field)
    + ", gpu for NVIDIA_*. Fixed: "
    + ", ".join(name for name, field in DERIVED_VARIABLES.items() if not field),
    lambda env: (
        not any(
            variable.name in DERIVED_VARIABLES or variable.name.startswith(_DEVICE_PREFIX)
            for variable in env
        )
    ),
)


class Server(Part):
    """The Ollama container."""

    image: Image = DEFAULT_IMAGE
    """The Ollama image. The official one runs unmodified; another must have `ollama` and a
    POSIX shell on its PATH. The default is written into the object when it is created, so that a
    new version of Stoker changes no running model."""

    resources: Resources = Resources()
    """CPU, memory and local disk of the container."""

    env: Annotated[
        list[Variable], Field(max_length=64), Unique("name"), Rules((_NOT_DERIVED,))
    ] = []
    """More environment for Ollama, such as `HTTPS_PROXY` for pulls."""


class Sidecar(Part):
    """The sidecar container."""

    image: Image | None = None
    """Another sidecar image than the one that the operator was installed with. A new default
    reaches a pod with that pod's next own change; it restarts none by itself."""

    resources: Resources = Resources.model_validate(
        {"requests": {"cpu": "50m", "memory": "64Mi"}, "limits": {"memory": "128Mi"}}
    )
    """CPU and memory of the container. No CPU limit by default: a throttled sidecar would see
    late what it is there to see."""
