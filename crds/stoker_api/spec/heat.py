"""How a model is warmed, watched and gated, and what it may use of a GPU."""

from datetime import timedelta
from typing import Annotated, Literal

from pydantic import Field

from stoker_api.part import Effect, Part, Unique
from stoker_api.rules import Rule
from stoker_api.scalars import Amount, DeviceName, ObjectName, Share, between


class Warmup(Part):
    """What a freshly loaded model must do before its pod takes traffic."""

    prompts: Annotated[
        list[Annotated[str, Field(min_length=1, max_length=4096)]],
        Field(min_length=1, max_length=8),
    ] = ["Say hello."]
    """Prompts that are answered before the gate opens, in turn. Loading alone is not heat: the
    first token after a load still pays for kernels and graphs. Use ones like your traffic's."""

    consecutive: Annotated[int, Field(ge=1, le=20)] = 2
    """How many good answers in a row open the gate."""

    target_first_token: Annotated[timedelta, between("1ms", "10m")] | None = None
    """How soon the first token must come, measured on the warm-up prompts. Unset: it is measured
    and reported only. Set: it must be met before the gate opens for the first time; afterwards a
    slower answer is reported, and shuts the gate only if `gate.shutOn` lists `Latency`."""

    deadline: Annotated[timedelta, between("10s", "168h")] = timedelta(minutes=15)
    """How long a pod may make no progress towards heat (no bytes pulled, nothing loaded) until
    the condition `Progressing` becomes `False`. Nothing is cancelled: a slow load goes on."""


class Canary(Part):
    """The small request that proves life when no traffic does."""

    idle_after: Annotated[timedelta, between("1s", "1h")] = timedelta(seconds=10)
    """How long without an answered request until a canary is sent. Traffic that is answered
    proves more than a canary, so a busy model is sent none."""

    timeout: Annotated[timedelta, between("1s", "10m")] = timedelta(seconds=15)
    """How long a canary may take."""

    failure_threshold: Annotated[int, Field(ge=1, le=20)] = 2
    """How many canaries in a row must fail to shut the gate. Proven losses (the model evicted,
    its runner gone) shut it at once and do not wait for canaries."""


class Heartbeat(Part):
    """How closely a hot model is watched."""

    interval: Annotated[timedelta, between("100ms", "1m")] = timedelta(milliseconds=500)
    """How often Ollama is asked what is loaded, and its processes and GPUs are looked at."""

    canary: Canary = Canary()
    """The request that proves life in quiet times."""

    stall: Annotated[timedelta, between("5s", "1h")] | None = None
    """How long a request may keep the model busy without producing a byte until that counts as
    hung. Default: `120s` with a GPU. Not to be set without one: on a CPU the prefill of a long
    prompt is silent for minutes."""


class Gate(Part):
    """What may shut an open gate besides a proven loss of heat."""

    shut_on: Annotated[
        list[Literal["Latency", "Offload", "Budget"]], Field(max_length=3), Unique()
    ] = []
    """Soft reasons that may shut an open gate: `Latency` (slower than
    `warmup.targetFirstToken`), `Offload` (less on the GPU than `gpu.minOffload`), `Budget` (over
    `gpu.memoryBudget`). Empty by default, because a soft reason is often true of every pod at
    once: shutting on it can take the whole service away."""


class Gpu(Part):
    """The GPUs of one pod. Leave `gpu` out for a CPU-only model."""

    count: Annotated[int, Field(ge=0, le=64), Effect.ROLLS] = 1
    """How many GPUs each pod asks for."""

    resource_name: Annotated[DeviceName, Effect.ROLLS] = "nvidia.com/gpu"
    """The extended resource that a GPU is on your nodes, such as `nvidia.com/gpu`,
    `nvidia.com/mig-1g.10gb` or `amd.com/gpu`. Memory and utilisation are measured on NVIDIA's."""

    runtime_class_name: Annotated[ObjectName, Effect.ROLLS] | None = None
    """The RuntimeClass that gives containers GPUs, where that is not the nodes' default (often
    `nvidia`)."""

    memory_budget: Amount | None = None
    """GPU memory that each pod may use, such as `8Gi`, compared with what the GPU measures."""

    on_over_budget: Literal["Warn", "Block"] = "Warn"
    """`Warn` says so in the condition `WithinBudget` and in an event. `Block` also keeps the gate
    shut until the pod has been within its budget once."""

    min_offload: Share | None = None
    """The share of the model that must be in GPU memory, such as `100%`. Ollama offloads what
    fits and says nothing about the rest. Unset: the share is reported only. Set: it must be
    reached before the gate opens for the first time."""

    rules = (
        Rule(
            "self.count > 0 || !(has(self.memoryBudget) || has(self.minOffload)"
            " || has(self.runtimeClassName))",
            "memoryBudget, minOffload and runtimeClassName need a GPU: set count to 1 or more, or"
            " leave gpu out for a CPU-only model",
            lambda gpu: (
                gpu.count > 0
                or not (gpu.memory_budget or gpu.min_offload or gpu.runtime_class_name)
            ),
            field="count",
        ),
        Rule(
            "self.onOverBudget != 'Block' || has(self.memoryBudget)",
            "onOverBudget: Block needs a budget: set memoryBudget, such as `8Gi`",
            lambda gpu: gpu.on_over_budget != "Block" or gpu.memory_budget,
            field="onOverBudget",
        ),
    )

    @property
    def is_nvidia(self) -> bool:
        return self.resource_name.startswith("nvidia.com/")
