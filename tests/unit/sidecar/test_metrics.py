"""What a scrape says."""

from dataclasses import replace

import pytest
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stoker_api import wire
from stoker_api.reasons import Reason
from stoker_sidecar.counts import CanaryResult, Counts, Histogram, RecoveryResult, RecoveryStep
from stoker_sidecar.figures import Figures
from stoker_sidecar.metrics import MOST_SERIES, SERIES, SERIES_OF_A_GPU, SidecarCollector
from support.statuses import HOT, STARTING


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
    counts.canary(CanaryResult.GOOD)
    counts.recovery(RecoveryStep.UNLOAD, RecoveryResult.DONE)
    counts.heat_loss(0.02)
    counts.explain(Reason.CRASHED)
    counts.first_token.observe(0.18)
    return Figures(
        HOT,
        counts,
        version="0.1.0",
        offload_wanted_ratio=1.0,
        first_token_target_seconds=0.5,
        expires_in_seconds=290.5,
        vram_budget_bytes=8 * 2**30,
        connections_open=3,
        connections_busy=1,
        nvml_errors=2,
        gate_in_step=True,
        gate_writes={"written": 4, "refused": 0, "failed": 0},
    )


def test_every_series_can_be_read_by_prometheus() -> None:
    names = {family.name for family in text_string_to_metric_families(scraped(busy()))}
    assert names == {series.name.removesuffix("_total") for series in SERIES}


def test_what_is_known_has_a_sample() -> None:
    seen = samples(busy())
    expected = {
        'stoker_heat_state{reason="Proven",state="Hot"}': 1,
        "stoker_hot": 1,
        'stoker_heat_losses_total{reason="Crashed"}': 1,
        "stoker_heat_lost_seconds_count": 1,
        "stoker_heat_lost_seconds_sum": 0.02,
        'stoker_first_token_seconds_bucket{le="0.1"}': 0,
        'stoker_first_token_seconds_bucket{le="0.25"}': 1,
        'stoker_cold_start_seconds{phase="load"}': 4.87,
        "stoker_first_token_target_seconds": 0.5,
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


def test_what_has_not_happened_yet_is_counted_as_0() -> None:
    """A counter that begins at 1 has never increased, as Prometheus sees it."""
    seen = samples(replace(busy(), counts=Counts()))
    assert seen['stoker_recoveries_total{result="done",step="kill"}'] == 0
    assert seen['stoker_canary_total{result="timed_out"}'] == 0
    assert seen['stoker_gate_writes_total{result="refused"}'] == 0
    assert seen["stoker_heat_lost_seconds_count"] == 0


def test_a_model_of_no_size_has_no_share() -> None:
    status = replace(HOT, residency=wire.Residency(0, 0, None))
    assert "stoker_model_offload_ratio" not in samples(replace(busy(), status=status))


def test_a_model_for_which_no_gpu_is_wanted_has_no_share_on_one() -> None:
    assert "stoker_model_offload_ratio" not in samples(replace(busy(), offload_wanted_ratio=None))


# --- how many series a pod has --------------------------------------------------------------------


def fullest(gpus: int) -> Figures:
    """What has every series that there can be."""
    figures = busy()
    for reason in Reason:
        figures.counts.heat_loss(0.1)
        figures.counts.explain(reason)
    start = wire.ColdStart(1.0, 1.0, 1.0, 1.0)
    routes = tuple(wire.Route(api, ok=True, reason="Reached", message="") for api in wire.Api)
    (gpu,) = HOT.gpus
    each = tuple(replace(gpu, uuid=f"GPU-{number}") for number in range(gpus))
    return replace(figures, status=replace(HOT, gpus=each, cold_start=start, routes=routes))


@pytest.mark.parametrize("gpus", [1, 8])
def test_a_pod_has_so_many_series_and_no_more(gpus: int) -> None:
    assert len(samples(fullest(gpus))) == MOST_SERIES + (gpus - 1) * SERIES_OF_A_GPU


# --- why heat was lost ----------------------------------------------------------------------------


def test_a_loss_is_counted_under_the_reason_that_follows_when_the_process_is_gone() -> None:
    counts = Counts()
    counts.explain(Reason.LOADING)
    counts.heat_loss(0.02)
    for reason in (Reason.RUNNER_GONE, Reason.RUNNER_GONE, Reason.EVICTED, Reason.LOADING):
        counts.explain(reason)
    assert counts.losses == {("Evicted",): 1}


def test_a_reason_too_many_is_counted_as_another() -> None:
    counts = Counts()
    reasons = [reason for reason in Reason if reason is not Reason.RUNNER_GONE][:8]
    for reason in [*reasons, reasons[0], reasons[7]]:
        counts.heat_loss(0.02)
        counts.explain(reason)
    assert counts.losses == {(reason,): 1 for reason in reasons[1:5]} | {
        (reasons[0],): 2,
        ("Other",): 4,
    }


def test_registering_asks_for_no_figures() -> None:
    def figures() -> Figures:
        raise AssertionError("there are none yet")

    CollectorRegistry().register(SidecarCollector(figures))


@pytest.mark.parametrize(
    ("seconds", "bound"), [(0, "0.1"), (0.1, "0.1"), (0.11, "0.25"), (9999, "+Inf")]
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
        transitions=0, heat_losses=1, reloads=0, recoveries=1, canaries=1, config_errors=7
    )
