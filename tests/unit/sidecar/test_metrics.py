"""What a scrape says, and that the documentation says the same."""

import re
from dataclasses import replace
from enum import StrEnum
from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stoker_api import wire
from stoker_sidecar.counts import (
    CanaryResult,
    Counts,
    Histogram,
    Phase,
    RecoveryResult,
    RecoveryStep,
)
from stoker_sidecar.metrics import SERIES, Figures, SidecarCollector
from support.statuses import HOT, STARTING

DOCUMENT = Path(__file__).parents[3] / "docs" / "metrics.md"


class Cause(StrEnum):
    """Stands for the heart's own lists of reasons."""

    CRASHED = "Crashed"


def scraped(figures: Figures) -> str:
    registry = CollectorRegistry()
    registry.register(SidecarCollector(lambda: figures))
    return generate_latest(registry).decode()


def samples(figures: Figures) -> dict[str, float]:
    """Each sample as `name{label="value"}`."""
    return {
        sample.name
        + ("{" + ",".join(f'{k}="{v}"' for k, v in sample.labels.items()) + "}")
        * bool(sample.labels): sample.value
        for family in text_string_to_metric_families(scraped(figures))
        for sample in family.samples
    }


def busy() -> Figures:
    """Figures in which every series has a sample."""
    counts = Counts()
    counts.transition(wire.HeatState.COLD, Cause.CRASHED)
    counts.canary(CanaryResult.GOOD)
    counts.rearm(Cause.CRASHED)
    counts.reload(Cause.CRASHED)
    counts.recovery(RecoveryStep.UNLOAD, RecoveryResult.DONE)
    counts.heat_loss(0.02)
    counts.phase(Phase.LOAD, 4.87)
    counts.first_token.observe(0.18)
    return Figures(
        HOT,
        counts,
        version="0.1.0",
        expires_in_seconds=290.5,
        vram_budget_bytes=8 * 2**30,
        connections_open=3,
        connections_busy=1,
        nvml_errors=2,
        gate_in_step=True,
        gate_writes={"written": 4},
    )


def test_every_series_can_be_read_by_prometheus() -> None:
    names = {family.name for family in text_string_to_metric_families(scraped(busy()))}
    assert names == {series.name.removesuffix("_total") for series in SERIES}


def test_the_document_lists_every_series_with_its_type_labels_and_meaning() -> None:
    rows = re.findall(
        r"^\| `(stoker_\w+)` \| (\w+) \| (.*?) \| (.*) \|$", DOCUMENT.read_text(), re.MULTILINE
    )
    listed = [(name, kind, labels, meaning) for name, kind, labels, meaning in rows]
    assert listed == [
        (
            series.name,
            series.kind,
            ", ".join(f"`{label}`" for label in series.labels),
            series.meaning,
        )
        for series in SERIES
    ]


def test_what_is_known_has_a_sample() -> None:
    seen = samples(busy())
    expected = {
        'stoker_heat_state{state="Hot"}': 1,
        'stoker_heat_state{state="Cold"}': 0,
        "stoker_hot": 1,
        'stoker_heat_transitions_total{reason="Crashed",to="Cold"}': 1,
        "stoker_heat_lost_seconds_count": 1,
        'stoker_heat_lost_seconds_bucket{le="0.01"}': 0,
        'stoker_heat_lost_seconds_bucket{le="0.025"}': 1,
        'stoker_cold_start_seconds_sum{phase="load"}': 4.87,
        'stoker_model_bytes{where="vram"}': 2_000_000_000,
        'stoker_model_bytes{where="ram"}': 400_000_000,
        "stoker_model_offload_ratio": 2.0 / 2.4,
        'stoker_gpu_memory_bytes{gpu="GPU-0",kind="used"}': 5 * 2**30,
        'stoker_gpu_temperature_celsius{gpu="GPU-0"}': 41,
        'stoker_connections{state="busy"}': 1,
        'stoker_route_ok{api="ollama"}': 1,
        'stoker_gate_writes_total{result="written"}': 4,
        'stoker_build_info{version="0.1.0"}': 1,
    }
    assert {name: seen.get(name) for name in expected} == expected


def test_what_is_not_known_has_none() -> None:
    seen = samples(Figures(STARTING, Counts(), version="0.1.0"))
    named = {name.partition("{")[0] for name in seen}
    assert not named & {
        "stoker_model_bytes",
        "stoker_model_offload_ratio",
        "stoker_model_expires_in_seconds",
        "stoker_tokens_per_second",
        "stoker_gpu_memory_bytes",
        "stoker_connections",
        "stoker_gate_in_step",
        "stoker_pull_bytes",
        "stoker_vram_budget_bytes",
    }
    assert seen["stoker_hot"] == 0


def test_a_model_of_no_size_has_no_share() -> None:
    status = replace(HOT, residency=wire.Residency(0, 0, None))
    assert "stoker_model_offload_ratio" not in samples(Figures(status, Counts(), version=""))


def test_registering_asks_for_no_figures() -> None:
    def figures() -> Figures:
        raise AssertionError("there are none yet")

    CollectorRegistry().register(SidecarCollector(figures))


def test_exactly_one_state_is_the_state() -> None:
    for state in wire.HeatState:
        figures = Figures(replace(HOT, state=state), Counts(), version="")
        states = {k: v for k, v in samples(figures).items() if k.startswith("stoker_heat_state{")}
        assert {k for k, v in states.items() if v} == {f'stoker_heat_state{{state="{state}"}}'}
        assert len(states) == len(wire.HeatState)


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, "0.001"), (0.001, "0.001"), (0.0011, "0.0025"), (9999, "+Inf")]
)
def test_a_histogram_puts_what_it_sees_below_the_bound_that_it_does_not_pass(
    seconds: float, bound: str
) -> None:
    histogram = Histogram()
    histogram.observe(seconds)
    assert next(name for name, count in histogram.buckets() if count) == bound
    assert histogram.buckets()[-1] == ("+Inf", 1)


def test_the_totals_are_the_sums() -> None:
    assert busy().counts.totals(config_errors=7) == wire.Counters(
        transitions=1, heat_losses=1, reloads=1, recoveries=1, canaries=1, config_errors=7
    )
