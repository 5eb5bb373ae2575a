"""Every series of the sidecar, in one place, computed when somebody scrapes.

What the sidecar knows as of now comes as `Figures`; what has happened since it started is counted
in `Counts`. A value that is not known has no sample: nothing is 0 that nobody measured. Every label
is a word from a fixed list, an API, a GPU of the pod or this build, so the number of series is
bounded by the pod, not by time or by what clients do.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)
from prometheus_client.registry import Collector

from stoker_api import wire
from stoker_sidecar.counts import Counts, Histogram, Labels

Values = Mapping[Labels, float | None]


@dataclass(frozen=True)
class Figures:
    """What the sidecar knows at the moment of a scrape; None where it does not."""

    status: wire.Status
    counts: Counts
    version: str
    expires_in_seconds: float | None = None
    vram_budget_bytes: int | None = None
    connections_open: int | None = None
    connections_busy: int | None = None
    nvml_errors: int = 0
    gate_in_step: bool | None = None
    """None: there is no gate, outside Kubernetes."""
    gate_writes: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True)
class Series:
    """One name, and how its values come from the figures."""

    name: str
    meaning: str
    labels: Labels
    values: Callable[[Figures], Values]

    @property
    def kind(self) -> str:
        return "counter" if self.name.endswith("_total") else "gauge"

    def metric(self, figures: Figures) -> Metric:
        family = (
            CounterMetricFamily(self.name, self.meaning, labels=self.labels)
            if self.kind == "counter"
            else GaugeMetricFamily(self.name, self.meaning, labels=self.labels)
        )
        for labels, value in self.values(figures).items():
            if value is not None:
                family.add_metric(labels, value)
        return family


@dataclass(frozen=True)
class Distribution:
    """One name, and the histograms that it stands for."""

    name: str
    meaning: str
    labels: Labels
    histograms: Callable[[Figures], Mapping[Labels, Histogram]]
    kind: str = "histogram"

    def metric(self, figures: Figures) -> Metric:
        family = HistogramMetricFamily(self.name, self.meaning, labels=self.labels)
        for labels, histogram in self.histograms(figures).items():
            family.add_metric(labels, histogram.buckets(), histogram.sum_seconds)
        return family


class SidecarCollector(Collector):
    """Registers with a registry, and asks for the figures at each scrape."""

    def __init__(self, figures: Callable[[], Figures]) -> None:
        self._figures = figures

    def describe(self) -> Iterator[Metric]:
        """Nothing: so that registering does not ask for figures that are not there yet."""
        return iter(())

    def collect(self) -> Iterator[Metric]:
        figures = self._figures()
        for series in SERIES:
            yield series.metric(figures)


# --- where the values come from -----------------------------------------------------------------


def _one(value: Callable[[Figures], float | None]) -> Callable[[Figures], Values]:
    """A series without labels."""
    return lambda figures: {(): value(figures)}


def _gpus(value: Callable[[wire.GpuFigures], float | None]) -> Callable[[Figures], Values]:
    return lambda figures: {(gpu.uuid,): value(gpu) for gpu in figures.status.gpus}


def _gpu_memory(figures: Figures) -> Values:
    values: dict[Labels, float | None] = {}
    for gpu in figures.status.gpus:
        values[gpu.uuid, "total"] = gpu.total_bytes
        values[gpu.uuid, "used"] = gpu.used_bytes
    return values


def _model_bytes(figures: Figures) -> Values:
    residency = figures.status.residency
    if residency is None:
        return {}
    return {
        ("vram",): residency.vram_bytes,
        ("ram",): max(0, residency.total_bytes - residency.vram_bytes),
    }


def _offload_ratio(figures: Figures) -> float | None:
    residency = figures.status.residency
    if residency is None or residency.total_bytes <= 0:
        return None
    return residency.vram_bytes / residency.total_bytes


def _pull_bytes(figures: Figures) -> Values:
    pull = figures.status.pull
    return {("done",): pull.done_bytes, ("total",): pull.total_bytes} if pull else {}


SERIES: tuple[Series | Distribution, ...] = (
    Series(
        "stoker_heat_state",
        "1 for the state that the model is in, 0 for all others.",
        ("state",),
        lambda f: {(state,): state is f.status.state for state in wire.HeatState},
    ),
    Series("stoker_hot", "1 while the gate is open.", (), _one(lambda f: f.status.hot)),
    Series(
        "stoker_heat_transitions_total",
        "Changes of state, by the new state and the reason.",
        ("to", "reason"),
        lambda f: f.counts.transitions,
    ),
    Distribution(
        "stoker_heat_lost_seconds",
        "From the last proof of heat to the gate being shut, for each loss of heat.",
        (),
        lambda f: {(): f.counts.heat_lost},
    ),
    Distribution(
        "stoker_cold_start_seconds",
        "What each phase of a start took.",
        ("phase",),
        lambda f: {(phase,): each for phase, each in f.counts.cold_start.items()},
    ),
    Distribution(
        "stoker_first_token_seconds",
        "From the sidecar's own request to the first token of the answer, while the model is hot.",
        (),
        lambda f: {(): f.counts.first_token},
    ),
    Series(
        "stoker_tokens_per_second",
        "How fast the last answer to the sidecar came.",
        (),
        _one(lambda f: f.status.latency.tokens_per_second),
    ),
    Series(
        "stoker_canary_total",
        "Canaries (small requests that prove life in quiet times), by how they ended.",
        ("result",),
        lambda f: f.counts.canaries,
    ),
    Series(
        "stoker_keepalive_rearmed_total",
        "Renewals of the model's lease on memory, by cause.",
        ("cause",),
        lambda f: f.counts.rearms,
    ),
    Series(
        "stoker_reloads_total",
        "Loads of a model that had been loaded before, by cause.",
        ("cause",),
        lambda f: f.counts.reloads,
    ),
    Series(
        "stoker_model_bytes",
        "Memory that the loaded model takes, by where it is; as Ollama says.",
        ("where",),
        _model_bytes,
    ),
    Series(
        "stoker_model_offload_ratio",
        "The share of the loaded model that is in GPU memory, as Ollama says.",
        (),
        _one(_offload_ratio),
    ),
    Series(
        "stoker_model_expires_in_seconds",
        "When Ollama will free the model's memory; no sample where that is without end.",
        (),
        _one(lambda f: f.expires_in_seconds),
    ),
    Series(
        "stoker_pull_bytes",
        "The pull under way: bytes that are done, and in total.",
        ("kind",),
        _pull_bytes,
    ),
    Series(
        "stoker_vram_budget_bytes",
        "GPU memory that the pod may use (gpu.memoryBudget).",
        (),
        _one(lambda f: f.vram_budget_bytes),
    ),
    Series(
        "stoker_gpu_memory_bytes",
        "Memory of each of the pod's GPUs, in total and used by anybody; as NVML measures.",
        ("gpu", "kind"),
        _gpu_memory,
    ),
    Series(
        "stoker_gpu_utilisation_ratio",
        "The share of time in which the GPU computed, from 0 to 1.",
        ("gpu",),
        _gpus(lambda gpu: gpu.utilisation_ratio),
    ),
    Series(
        "stoker_gpu_power_watts", "What the GPU draws.", ("gpu",), _gpus(lambda g: g.power_watts)
    ),
    Series(
        "stoker_gpu_temperature_celsius",
        "How warm the GPU is.",
        ("gpu",),
        _gpus(lambda gpu: gpu.temperature_celsius),
    ),
    Series(
        "stoker_nvml_errors_total",
        "Times that NVML could not be asked or gave an error.",
        (),
        _one(lambda f: f.nvml_errors),
    ),
    Series(
        "stoker_connections",
        "Connections of clients to Ollama: open ones, and those of them that are being answered.",
        ("state",),
        lambda f: {("open",): f.connections_open, ("busy",): f.connections_busy},
    ),
    Series(
        "stoker_recoveries_total",
        "Attempts to bring a stuck model back, by how far they went and how they ended.",
        ("step", "result"),
        lambda f: f.counts.recoveries,
    ),
    Series(
        "stoker_route_ok",
        "1 where a client's way on this API leads to this very model, 0 where it does not.",
        ("api",),
        lambda f: {(route.api,): route.ok for route in f.status.routes},
    ),
    Series(
        "stoker_gate_in_step",
        "1 while the API server has the gate that is wanted; no sample outside Kubernetes.",
        (),
        _one(lambda f: f.gate_in_step),
    ),
    Series(
        "stoker_gate_writes_total",
        "Writes of the pod condition stoker.dev/hot, by how they ended.",
        ("result",),
        lambda f: {(result,): count for result, count in f.gate_writes.items()},
    ),
    Series(
        "stoker_config_errors_total",
        "Versions of heat.json that could not be used.",
        (),
        _one(lambda f: f.status.counters.config_errors),
    ),
    Series(
        "stoker_build_info",
        "1, with the sidecar's version.",
        ("version",),
        lambda f: {(f.version,): 1},
    ),
)
