"""Where a model goes: how many of its layers fit into the memory of a GPU, and what that leaves.

A pure model of Ollama's estimate. One device stands for all: what matters here is that a model may
fit, may fit in part, or may not fit at all.
"""

from collections.abc import Sequence
from dataclasses import dataclass

GIB = 1024**3

# Ollama's default contexts, by the memory of all GPUs together.
_CONTEXTS = ((47 * GIB, 262_144), (23 * GIB, 32_768), (0, 4_096))


@dataclass(frozen=True)
class Machine:
    """The memory that models may take."""

    gpu_bytes: int = 0
    """0 is a machine without a GPU."""
    cpu_bytes: int = 64 * GIB


@dataclass(frozen=True)
class Demand:
    """What a model needs."""

    weights_bytes: int
    cache_bytes_per_token: int
    layers: int
    """Blocks and the output layer."""
    context: int
    parallel: int = 1

    @property
    def bytes(self) -> int:
        return self.weights_bytes + self.cache_bytes_per_token * self.context * self.parallel


@dataclass(frozen=True)
class Placement:
    """Where a model lies."""

    context: int
    bytes: int
    gpu_bytes: int
    gpu_layers: int


def default_context(machine: Machine) -> int:
    """The context of a model when nobody asks for one."""
    return next(context for least, context in _CONTEXTS if machine.gpu_bytes >= least)


def fit(
    demands: Sequence[Demand], used: Sequence[Placement], machine: Machine, most_gpu_layers: int
) -> Placement | None:
    """Where the first of these demands goes that fits beside what is there; None if none does.

    Beside others a model has to fit whole into the GPU; alone it may be split, silently.
    """
    free = Machine(
        machine.gpu_bytes - sum(other.gpu_bytes for other in used),
        machine.cpu_bytes - sum(other.bytes - other.gpu_bytes for other in used),
    )
    placements = [one for demand in demands if (one := _place(demand, free, most_gpu_layers))]
    whole = min(most_gpu_layers, demands[0].layers) if machine.gpu_bytes else 0
    best = next((one for one in placements if one.gpu_layers >= whole), None)
    return best or (placements[0] if placements and not used else None)


def _place(demand: Demand, free: Machine, most_gpu_layers: int) -> Placement | None:
    layer_bytes = -(-demand.bytes // demand.layers)
    layers = min(demand.layers, most_gpu_layers, max(0, free.gpu_bytes) // max(1, layer_bytes))
    gpu_bytes = demand.bytes if layers == demand.layers else layers * layer_bytes
    if demand.bytes - gpu_bytes > free.cpu_bytes:
        return None
    return Placement(demand.context, demand.bytes, gpu_bytes, layers)


def reduced_contexts(context: int) -> list[int]:
    """The contexts that are tried instead when this one, which nobody asked for, does not fit."""
    return [smaller for _, smaller in _CONTEXTS if smaller < context]


def too_big(demand: Demand, machine: Machine) -> str:
    """Ollama's words for a model that does not fit anywhere."""
    return (
        f"model requires more system memory ({demand.bytes / GIB:.1f} GiB)"
        f" than is available ({machine.cpu_bytes / GIB:.1f} GiB)"
    )
