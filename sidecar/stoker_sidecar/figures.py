"""What a scrape tells, and how each value is had from what the sidecar knows."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from stoker_api import wire
from stoker_sidecar.counts import Counts, Labels

Values = Mapping[Labels, float | None]
"""By the labels of each sample; None has no sample."""


@dataclass(frozen=True)
class Figures:
    """What the sidecar knows at the moment of a scrape; None where it does not."""

    status: wire.Status
    counts: Counts
    version: str
    offload_wanted_ratio: float | None = None
    """None: no GPU is wanted."""
    first_token_target_seconds: float | None = None
    expires_in_seconds: float | None = None
    vram_budget_bytes: int | None = None
    connections_open: int | None = None
    connections_busy: int | None = None
    nvml_errors: int = 0
    gate_in_step: bool | None = None
    """None: there is no gate, outside Kubernetes."""
    gate_writes: Mapping[str, int] = field(default_factory=dict)


def one(value: Callable[[Figures], float | None]) -> Callable[[Figures], Values]:
    """A series without labels."""
    return lambda figures: {(): value(figures)}


def cold_start(figures: Figures) -> Values:
    start = figures.status.cold_start
    return {
        ("pull",): start.pull_seconds,
        ("verify",): start.verify_seconds,
        ("load",): start.load_seconds,
        ("first_token",): start.first_token_seconds,
    }


def gpus(value: Callable[[wire.GpuFigures], float | None]) -> Callable[[Figures], Values]:
    return lambda figures: {(gpu.uuid,): value(gpu) for gpu in figures.status.gpus}


def gpu_memory(figures: Figures) -> Values:
    values: dict[Labels, float | None] = {}
    for gpu in figures.status.gpus:
        values[gpu.uuid, "total"] = gpu.total_bytes
        values[gpu.uuid, "used"] = gpu.used_bytes
    return values


def model_bytes(figures: Figures) -> Values:
    residency = figures.status.residency
    if residency is None:
        return {}
    return {
        ("vram",): residency.vram_bytes,
        ("ram",): max(0, residency.total_bytes - residency.vram_bytes),
    }


def offload_ratio(figures: Figures) -> float | None:
    residency = figures.status.residency
    if residency is None or residency.total_bytes <= 0 or figures.offload_wanted_ratio is None:
        return None
    return residency.vram_bytes / residency.total_bytes


def pull_bytes(figures: Figures) -> Values:
    pull = figures.status.pull
    return {("done",): pull.done_bytes, ("total",): pull.total_bytes} if pull else {}
