"""Every series of the sidecar, in one place, computed when somebody scrapes.

What the sidecar knows as of now comes as `Figures`; what has happened since it started is counted
in `Counts`. A value that is not known has no sample: nothing is 0 that nobody measured. Every label
is a word from a fixed list, an API, a GPU of the pod or this build, so the number of series is
bounded by the pod, not by time or by what clients do.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from prometheus_client.metrics_core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
    SummaryMetricFamily,
)
from prometheus_client.registry import Collector

from stoker_sidecar.counts import Labels
from stoker_sidecar.figures import (
    Figures,
    Values,
    cold_start,
    gpu_memory,
    gpus,
    model_bytes,
    offload_ratio,
    one,
    pull_bytes,
)

MOST_SERIES = 60
"""Of a pod with one GPU, whatever happens to it."""
SERIES_OF_A_GPU = 5
"""Of each further GPU."""


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
class Answers:
    """How soon the model answers: a histogram, from which quantiles over many pods are made."""

    name: str
    meaning: str
    labels: Labels = ()
    kind: str = "histogram"

    def metric(self, figures: Figures) -> Metric:
        seen = figures.counts.first_token
        return HistogramMetricFamily(self.name, self.meaning, seen.buckets(), seen.sum_seconds)


@dataclass(frozen=True)
class Losses:
    """How late losses of heat are noticed: a sum and a count, for there are few."""

    name: str
    meaning: str
    labels: Labels = ()
    kind: str = "summary"

    def metric(self, figures: Figures) -> Metric:
        counts = figures.counts
        return SummaryMetricFamily(
            self.name, self.meaning, counts.heat_losses, counts.heat_lost_seconds
        )


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


SERIES: tuple[Series | Answers | Losses, ...] = (
    Series(
        "stoker_heat_state",
        "1, with the state that the model is in, and why.",
        ("state", "reason"),
        lambda f: {(f.status.state, f.status.reason): 1},
    ),
    Series("stoker_hot", "1 while the gate is open.", (), one(lambda f: f.status.hot)),
    Series(
        "stoker_heat_losses_total",
        "Losses of heat, by reason.",
        ("reason",),
        lambda f: f.counts.losses,
    ),
    Losses(
        "stoker_heat_lost_seconds",
        "From the last proof of heat to the gate being shut, in all losses of heat together.",
    ),
    Series(
        "stoker_cold_start_seconds",
        "What each phase of the last start took.",
        ("phase",),
        cold_start,
    ),
    Answers(
        "stoker_first_token_seconds",
        "From the sidecar's own request to the first token of the answer.",
    ),
    Series(
        "stoker_first_token_target_seconds",
        "How soon the first token should come (warmup.targetFirstToken).",
        (),
        one(lambda f: f.first_token_target_seconds),
    ),
    Series(
        "stoker_tokens_per_second",
        "How fast the last answer to the sidecar came.",
        (),
        one(lambda f: f.status.latency.tokens_per_second),
    ),
    Series(
        "stoker_canary_total",
        "Canaries (small requests that prove life in quiet times), by how they ended.",
        ("result",),
        lambda f: f.counts.canaries,
    ),
    Series(
        "stoker_keepalive_rearmed_total",
        "Renewals of the model's lease on memory.",
        (),
        one(lambda f: f.counts.rearms),
    ),
    Series(
        "stoker_model_bytes",
        "Memory that the loaded model takes, by where it is; as Ollama says.",
        ("where",),
        model_bytes,
    ),
    Series(
        "stoker_model_offload_ratio",
        "The share of the loaded model that is on the GPU, as Ollama says; where one is wanted.",
        (),
        one(offload_ratio),
    ),
    Series(
        "stoker_model_offload_wanted_ratio",
        "The share that should be there: gpu.minOffload, or all of it.",
        (),
        one(lambda f: f.offload_wanted_ratio),
    ),
    Series(
        "stoker_model_expires_in_seconds",
        "When Ollama will free the model's memory; no sample where that is without end.",
        (),
        one(lambda f: f.expires_in_seconds),
    ),
    Series(
        "stoker_pull_bytes",
        "The pull under way: bytes that are done, and in total.",
        ("kind",),
        pull_bytes,
    ),
    Series(
        "stoker_vram_budget_bytes",
        "GPU memory that the pod may use (gpu.memoryBudget).",
        (),
        one(lambda f: f.vram_budget_bytes),
    ),
    Series(
        "stoker_gpu_memory_bytes",
        "Memory of each of the pod's GPUs, in total and used by anybody; as NVML measures.",
        ("gpu", "kind"),
        gpu_memory,
    ),
    Series(
        "stoker_gpu_utilisation_ratio",
        "The share of time in which the GPU computed, from 0 to 1.",
        ("gpu",),
        gpus(lambda gpu: gpu.utilisation_ratio),
    ),
    Series(
        "stoker_gpu_power_watts", "What the GPU draws.", ("gpu",), gpus(lambda g: g.power_watts)
    ),
    Series(
        "stoker_gpu_temperature_celsius",
        "How warm the GPU is.",
        ("gpu",),
        gpus(lambda gpu: gpu.temperature_celsius),
    ),
    Series(
        "stoker_nvml_errors_total",
        "Times that NVML could not be asked or gave an error.",
        (),
        one(lambda f: f.nvml_errors),
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
        one(lambda f: f.gate_in_step),
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
        one(lambda f: f.status.counters.config_errors),
    ),
    Series(
        "stoker_build_info",
        "1, with the sidecar's version.",
        ("version",),
        lambda f: {(f.version,): 1},
    ),
)
