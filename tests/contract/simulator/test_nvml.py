"""The simulator's GPU as a program sees it that asks NVIDIA's library, or the stub in its place."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pynvml
import pytest

from contract.nvml.probe import Failed, Kept, Probe, probing
from contract.ollama.api import eventually
from contract.simulator.serving import Simulation, simulating
from nvml.library import stub_folder
from stoker_simulator.nvml_faults import UUID

GPU_BYTES = 20 * 1024**3


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "nvml.json"


@pytest.fixture
def simulation(state: Path) -> Iterator[Simulation]:
    options = ("--model", "llama3.2", "--gpu-memory", "20GiB", "--speed", "100")
    with simulating(*options, "--nvml-state", str(state)) as running:
        yield running


@pytest.fixture
def probe(simulation: Simulation, state: Path, tmp_path: Path) -> Iterator[Probe]:
    """pynvml, initialised, with the GPU as Kept("gpu"); the simulator runs already."""
    assert simulation.http.get("/").status_code == 200
    environment = {"LD_LIBRARY_PATH": str(stub_folder()), "STOKER_NVML_STATE": str(state)}
    with probing(environment, tmp_path / "stub.log") as started:
        assert started.call("nvmlInit") is None
        assert started.keep("gpu", "nvmlDeviceGetHandleByUUID", UUID) is None
        yield started


def held(probe: Probe) -> dict[int, int]:
    """What each process has of the GPU's memory."""
    processes = probe.call("nvmlDeviceGetComputeRunningProcesses", Kept("gpu"))
    return {each["pid"]: each["usedGpuMemory"] for each in processes}


def memory(probe: Probe) -> dict[str, int]:
    """The GPU's memory, in the version of the call that tells the driver's own share apart."""
    return dict(probe.call("nvmlDeviceGetMemoryInfo", Kept("gpu"), pynvml.nvmlMemory_v2))


def says(probe: Probe) -> Any:
    """The answer to a simple question."""
    return probe.call("nvmlDeviceGetTemperature", Kept("gpu"), 0)


def test_a_loaded_model_is_the_memory_of_its_runner(simulation: Simulation, probe: Probe) -> None:
    assert held(probe) == {}
    assert memory(probe)["total"] == GPU_BYTES
    simulation.load("llama3.2")
    size = simulation.ps()["llama3.2"].size_vram
    assert held(probe) == {simulation.runner(): size}
    assert memory(probe)["used"] == size
    simulation.unload("llama3.2")
    eventually(lambda: held(probe) == {}, "an empty GPU")


def test_a_gpu_that_answers_is_busy(simulation: Simulation, probe: Probe) -> None:
    def percent() -> int:
        return int(probe.call("nvmlDeviceGetUtilizationRates", Kept("gpu"))["gpu"])

    simulation.load("llama3.2")
    assert percent() == 0
    simulation.inject("slow-answers", factor=100)
    with simulation.talking("llama3.2") as lines:
        next(lines)
        assert percent() > 90
    eventually(lambda: percent() == 0, "an idle GPU")


@pytest.mark.p(21)
def test_ollama_may_lie_about_what_the_driver_tells(simulation: Simulation, probe: Probe) -> None:
    simulation.inject("partial-offload", layers=7)
    simulation.inject("size-vram-lie")
    simulation.load("llama3.2")
    claimed = simulation.ps()["llama3.2"].size_vram
    assert 0 < held(probe)[simulation.runner()] < claimed / 2


@pytest.mark.p(26)
def test_leaked_memory_belongs_to_no_process(simulation: Simulation, probe: Probe) -> None:
    simulation.inject("vram-leak")
    simulation.load("llama3.2")
    size = simulation.ps()["llama3.2"].size_vram
    simulation.unload("llama3.2")
    eventually(lambda: held(probe) == {}, "the end of the process")
    eventually(lambda: memory(probe)["used"] == size, "memory that stays taken")


@pytest.mark.p(31)
def test_a_killed_runner_leaves_the_gpu(simulation: Simulation, probe: Probe) -> None:
    simulation.load("llama3.2")
    simulation.inject("runner-crash")
    eventually(lambda: held(probe) == {}, "an empty GPU")
    assert simulation.ps()["llama3.2"].size_vram


@pytest.mark.p(23)
@pytest.mark.parametrize(
    ("fault", "parameters", "error"),
    [
        ("gpu-lost", {}, "GpuIsLost"),
        ("gpu-revoked", {}, "Unknown"),
        ("nvml", {"fault": "no-permission"}, "NoPermission"),
        ("nvml", {"fault": f"gpu-lost:{UUID}"}, "GpuIsLost"),
        ("nvml", {"fault": "missing-symbol:nvmlDeviceGetTemperature"}, "FunctionNotFound"),
    ],
)
def test_a_fault_of_the_gpu_is_the_drivers_answer_until_it_is_over(
    simulation: Simulation, probe: Probe, fault: str, parameters: dict[str, str], error: str
) -> None:
    healthy = says(probe)
    simulation.inject(fault, **parameters)
    assert says(probe) == Failed(error)
    simulation.clear(fault)
    assert says(probe) == healthy
