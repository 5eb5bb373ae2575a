"""What Ollama says of a GPU, what its driver says, and what the sidecar makes of the difference.

The simulator knows what its models really have in the GPU, and writes it into the file that the
stub of the driver's library reads.
"""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from contract.sidecar.pod import MODEL, Pod, in_pod, nvml_state, sample, told
from stoker_simulator.nvml_faults import UUID
from support.sidecars import Sidecar
from support.waiting import wait_for

GIB = 1024**3
MOST = ("--gpu-min-offload-ratio", "0.9")
"""Nine tenths of the model have to be in the GPU, or a new pod gets no traffic."""


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod with a GPU that has room for ten of its model."""
    options = ("--model", MODEL, "--gpu-memory", "24GiB")
    with in_pod(tmp_path, *options, "--nvml-state", str(nvml_state(tmp_path))) as running:
        yield running


@pytest.fixture
def beside(pod: Pod) -> Callable[..., Sidecar]:
    """Starts sidecars that know of the GPU."""
    return lambda *flags: pod.sidecar("--gpus", "1", *flags)


Beside = Callable[..., Sidecar]


def until_it_says(keeper: Sidecar, words: str) -> None:
    """Returns when `/status` has these words in its sentence."""
    wait_for(words, lambda: words in keeper.status()["message"], seconds=30)


def until_it_warns(keeper: Sidecar, words: str) -> None:
    """Returns when `/status` has these words in a warning."""
    wait_for(words, lambda: words in str(keeper.status()["warnings"]), seconds=30)


@pytest.mark.p(25)
def test_a_model_that_is_wholly_on_the_gpu_is_never_called_too_little(beside: Beside) -> None:
    keeper = beside(*MOST)
    keeper.until_ready()
    assert "OffloadTooLow" not in keeper.reasons()


@pytest.mark.p(21)
def test_a_lie_about_the_share_on_the_gpu_is_found_out(pod: Pod, beside: Beside) -> None:
    pod.ollama.inject("partial-offload", layers=7)
    pod.ollama.inject("size-vram-lie")
    keeper = beside(*MOST)
    until_it_says(keeper, "24% of it is on the GPU; gpu.minOffload is 90%")
    assert pod.ollama.ps()[MODEL].size_vram == pod.ollama.ps()[MODEL].size
    assert not keeper.is_ready()
    assert keeper.status()["reason"] == "OffloadTooLow"


@pytest.mark.p(21)
@pytest.mark.p(22)
def test_a_model_on_the_cpu_gets_no_traffic_where_the_gpu_is_asked_for(
    pod: Pod, beside: Beside
) -> None:
    pod.ollama.inject("cpu-fallback")
    pod.ollama.inject("size-from-file")
    keeper = beside(*MOST)
    until_it_says(keeper, "0% of it is on the GPU")
    assert "it may be running on the CPU" in keeper.status()["message"]
    assert "free GPU memory, or lower gpu.minOffload" in keeper.status()["message"]
    assert not keeper.is_ready()


@pytest.mark.p(22)
def test_a_model_on_the_cpu_is_warned_of_where_nothing_is_asked_for(
    pod: Pod, beside: Beside
) -> None:
    pod.ollama.inject("cpu-fallback")
    keeper = beside()
    keeper.until_ready()
    until_it_warns(keeper, "it may be running on the CPU")
    assert keeper.is_ready()


@pytest.mark.p(23)
def test_a_lost_gpu_shuts_the_gate_and_the_container_is_made_anew(pod: Pod, beside: Beside) -> None:
    keeper = beside()
    keeper.until_ready()
    pod.ollama.inject("gpu-lost")
    lost = told(keeper, "GpuLost")
    assert lost.gate == "shut"
    pod.container.start_again()
    keeper.until_said("GpuLost", "Hot")
    assert sample(keeper, "stoker_recoveries_total", step="restart", result="done") == 1


@pytest.mark.p(23)
@pytest.mark.parametrize(
    ("fault", "parameters", "advice"),
    [
        ("gpu-revoked", {}, "delete the pod, its successor gets them again"),
        ("nvml", {"fault": "no-permission"}, "see that NVIDIA's runtime gives it the device nodes"),
        ("nvml", {"fault": "hang"}, "the driver is stuck"),
    ],
)
def test_a_driver_that_cannot_say_is_reported_and_speaks_against_nothing(
    pod: Pod, beside: Beside, fault: str, parameters: dict[str, str], advice: str
) -> None:
    keeper = beside(*MOST, "--gate-shut-on", "Offload")
    keeper.until_ready()
    pod.ollama.inject(fault, **parameters)
    until_it_warns(keeper, advice)
    assert keeper.is_ready()
    assert (sample(keeper, "stoker_nvml_errors_total") or 0) > 0
    assert sample(keeper, "stoker_gpu_memory_bytes", gpu=UUID, kind="used") is None
    pod.ollama.clear(fault)
    wait_for("an end of the warnings", lambda: not keeper.status()["warnings"])
    assert keeper.status()["counters"]["heatLosses"] == 0


@pytest.mark.p(25)
def test_a_part_on_the_cpu_gets_no_traffic_where_more_is_asked_for(
    pod: Pod, beside: Beside
) -> None:
    pod.ollama.inject("partial-offload", layers=20)
    keeper = beside(*MOST)
    until_it_says(keeper, "69% of it is on the GPU; gpu.minOffload is 90%")
    assert not keeper.is_ready()
    assert sample(keeper, "stoker_model_offload_ratio") == pytest.approx(20 / 29, abs=0.01)


@pytest.mark.p(26)
def test_memory_that_a_dead_runner_keeps_is_not_the_models_own(pod: Pod, beside: Beside) -> None:
    keeper = beside("--gpu-memory-budget-bytes", str(10 * GIB), "--gpu-on-over-budget", "Block")
    keeper.until_ready()
    size = pod.ollama.ps()[MODEL].size_vram
    pod.ollama.inject("vram-leak")
    pod.ollama.inject("runner-crash")
    keeper.until_said("Hot", "Crashed", "Hot")

    def used() -> float | None:
        return sample(keeper, "stoker_gpu_memory_bytes", gpu=UUID, kind="used")

    wait_for("memory that is taken twice", lambda: used() == 2 * size)
    assert sample(keeper, "stoker_model_bytes", where="vram") == size
    assert 2 * size > 10 * GIB > size
    assert keeper.is_ready()


@pytest.mark.p(29)
def test_another_program_in_the_gpu_does_not_count_against_the_budget(
    pod: Pod, beside: Beside
) -> None:
    keeper = beside("--gpu-memory-budget-bytes", str(10 * GIB), "--gpu-on-over-budget", "Block")
    keeper.until_ready()
    pod.ollama.inject("gpu-memory-taken", bytes=10 * GIB)
    wait_for(
        "memory that another program takes",
        lambda: (sample(keeper, "stoker_gpu_memory_bytes", gpu=UUID, kind="used") or 0) > 10 * GIB,
    )
    assert keeper.is_ready()
    assert keeper.status()["warnings"] == []


@pytest.mark.p(29)
def test_another_program_that_leaves_too_little_shuts_the_gate_where_that_is_asked_for(
    pod: Pod, beside: Beside
) -> None:
    keeper = beside(*MOST, "--gate-shut-on", "Offload")
    keeper.until_ready()
    pod.ollama.inject("gpu-memory-taken", bytes=23 * GIB)
    pod.ollama.inject("runner-crash")
    keeper.until_said("Crashed", "OffloadTooLow")
    until_it_says(keeper, "free GPU memory, or lower gpu.minOffload")
    assert not keeper.is_ready()


@pytest.mark.p(29)
@pytest.mark.parametrize(("on", "opens"), [("Warn", True), ("Block", False)])
def test_a_model_over_its_budget_is_told_of_or_kept_from_traffic(
    beside: Beside,
    on: str,
    opens: bool,  # noqa: FBT001
) -> None:
    keeper = beside("--gpu-memory-budget-bytes", str(GIB), "--gpu-on-over-budget", on)
    until_it_warns(keeper, "gpu.memoryBudget is 1.0 GiB")
    keeper.until_said("LessThanAsked" if opens else "OverBudget")
    assert keeper.is_ready() is opens
    assert sample(keeper, "stoker_vram_budget_bytes") == GIB


def test_a_context_that_ollama_made_smaller_is_told(pod: Pod, beside: Beside) -> None:
    pod.ollama.inject("gpu-memory-taken", bytes=20 * GIB)
    pod.ollama.inject("context-reduced")
    keeper = beside()
    keeper.until_ready()
    assert keeper.status()["model"]["contextLength"] == 4096


def test_a_context_that_was_asked_for_is_not_made_smaller(pod: Pod, beside: Beside) -> None:
    pod.ollama.inject("gpu-memory-taken", bytes=20 * GIB)
    pod.ollama.inject("context-reduced")
    keeper = beside("--context-length", "32768", *MOST)
    until_it_says(keeper, "gpu.minOffload is 90%")
    assert keeper.status()["model"]["contextLength"] == 32768
