"""What the sidecar reads of its GPUs, on the stub and, where there is one, on a real GPU."""

import os
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from contract.nvml.machines import GPU, StubMachine, plain_stub, real_machine
from contract.sidecar.gpu_reading import OTHER, PAIR, reading, reads
from nvml.library import stub_folder
from nvml.state import Device, Memory, MigDevice, Process, State
from stoker_sidecar.heat.observation import Gpu

BARE = Device(uuid="GPU-bare")
DIVIDED = replace(
    GPU, mig=(MigDevice("MIG-1", "1g.10gb", Memory(10, 1)), MigDevice("MIG-2", "3g", Memory(40, 2)))
)


@pytest.fixture
def stub(tmp_path: Path) -> StubMachine:
    return plain_stub(tmp_path)


def test_a_gpu_tells_all_that_is_asked(stub: StubMachine) -> None:
    with reads(stub, given=f"{GPU.uuid}\n") as reader:
        seen = reader.read()
    assert (seen.unknown, seen.lost, seen.busy) == (None, None, True)
    assert seen.devices == (
        Gpu(
            uuid=GPU.uuid,
            name="Stoker Simulated GPU",
            total_bytes=85_899_345_920,
            used_bytes=5_368_709_120,  # without what the driver keeps in reserve
            utilisation_ratio=0.37,
            power_watts=123.456,
            temperature_celsius=41,
            uncorrected_errors=1,
        ),
    )


def test_what_a_gpu_does_not_tell_is_unknown(stub: StubMachine) -> None:
    stub.become(State(devices=(BARE,)))
    with reads(stub, given="GPU-bare\n") as reader:
        seen = reader.read(1234, idle=True)
    name = "Stoker Simulated GPU"
    assert seen.devices == (Gpu("GPU-bare", name, None, None, None, None, None, None),)
    assert (seen.unknown, seen.lost) == (None, None)
    assert (seen.runner_bytes, seen.baseline_bytes, seen.busy) == (None, None, None)


def test_an_older_driver_counts_its_reserve_as_used(stub: StubMachine) -> None:
    with reads(stub, given="0\n", without=("nvmlDeviceGetMemoryInfo_v2",)) as reader:
        (gpu,) = reader.read().devices
    assert gpu.used_bytes == 5_368_709_120 + 536_870_912


@pytest.mark.parametrize(
    "function",
    [
        "nvmlDeviceGetUtilizationRates",
        "nvmlDeviceGetPowerUsage",
        "nvmlDeviceGetTemperature",
        "nvmlDeviceGetTotalEccErrors",
        "nvmlDeviceGetMigMode",
        "nvmlDeviceGetComputeRunningProcesses_v3",
        "nvmlDeviceGetName",
    ],
)
def test_an_older_driver_tells_the_rest(stub: StubMachine, function: str) -> None:
    with reads(stub, given=f"{GPU.uuid}\n", without=(function,)) as reader:
        seen = reader.read(1)
    assert (seen.unknown, seen.lost) == (None, None)
    assert seen.devices[0].used_bytes == 5_368_709_120


def test_what_changes_slowly_is_read_less_often(stub: StubMachine) -> None:
    with reads(stub, given="0\n") as reader:
        reader.read()
        stub.become(State(devices=(replace(GPU, power_milliwatts=1000, utilisation=None),)))
        (soon,) = reader.read(later=1).devices
        (later,) = reader.read(later=1.5).devices
    assert (soon.power_watts, soon.utilisation_ratio) == (123.456, None)
    assert later.power_watts == 1


# --- which GPUs ---------------------------------------------------------------------------------


def test_only_the_pods_gpus_are_read(stub: StubMachine) -> None:
    stub.become(PAIR)
    with reads(stub, given="void\n/dev/nvidia1\n") as reader:
        assert [gpu.uuid for gpu in reader.read().devices] == [OTHER.uuid]


def test_what_the_container_is_given_later_counts(stub: StubMachine) -> None:
    stub.become(PAIR)
    with reads(stub) as reader:
        unknown = reader.read().unknown
        assert unknown
        assert "has not said yet which GPUs" in unknown
        stub.path.with_name("gpus").write_text(f"{GPU.uuid}\n")
        assert [gpu.uuid for gpu in reader.read().devices] == [GPU.uuid]
        stub.path.with_name("gpus").write_text(f"{GPU.uuid},{OTHER.uuid}\n")
        assert [gpu.uuid for gpu in reader.read(later=2).devices] == [GPU.uuid, OTHER.uuid]


def test_without_kubernetes_all_gpus_are_read(stub: StubMachine) -> None:
    stub.become(PAIR)
    environment = {"LD_LIBRARY_PATH": str(stub_folder()), "STOKER_NVML_STATE": str(stub.path)}
    with reading(environment) as reader:
        assert [gpu.uuid for gpu in reader.read().devices] == [GPU.uuid, OTHER.uuid]


def test_a_mig_device_has_its_own_memory_and_no_utilisation(stub: StubMachine) -> None:
    stub.become(State(devices=(DIVIDED,)))
    with reads(stub, given="MIG-2\n/dev/nvidia0\n") as reader:
        seen = reader.read()
    assert seen.devices == (Gpu("MIG-2", "3g", 40, 2, None, None, None, None),)
    assert seen.busy is None


def test_a_mig_device_that_only_its_gpus_node_tells_of_is_unknown(stub: StubMachine) -> None:
    stub.become(State(devices=(DIVIDED,)))
    with reads(stub, given="void\n/dev/nvidia0\n") as reader:
        unknown = reader.read().unknown
    assert unknown
    assert "the pod's GPU is a MIG device of /dev/nvidia0" in unknown


# --- the runner and the baseline ----------------------------------------------------------------


def test_the_runners_memory_is_told_apart(stub: StubMachine) -> None:
    listed = (Process(os.getpid(), 300), Process(os.getppid(), 500))
    stub.become(State(devices=(replace(GPU, processes=listed),)))
    with reads(stub, given="0\n") as reader:
        assert reader.read(os.getpid()).runner_bytes == 300
        assert reader.read(os.getppid()).runner_bytes == 500
        assert reader.read().runner_bytes is None


@pytest.mark.p(21)
def test_processes_of_another_namespace_say_nothing_of_the_runner(stub: StubMachine) -> None:
    beyond_all_pids = 2**22 + 1
    listed = (Process(os.getpid(), 300), Process(beyond_all_pids, 500))
    stub.become(State(devices=(replace(GPU, processes=listed),)))
    with reads(stub, given="0\n") as reader:
        assert reader.read(os.getpid()).runner_bytes is None


def test_the_baseline_is_what_was_used_without_a_model(stub: StubMachine) -> None:
    assert GPU.memory
    with reads(stub, given="0\n") as reader:
        assert reader.read().baseline_bytes is None
        assert reader.read(idle=True).baseline_bytes == GPU.memory.used
        loaded = replace(GPU.memory, used=GPU.memory.used + 1_000)
        stub.become(State(devices=(replace(GPU, memory=loaded),)))
        seen = reader.read()
    assert seen.baseline_bytes == GPU.memory.used
    assert seen.devices[0].used_bytes == GPU.memory.used + 1_000


# --- a real GPU ---------------------------------------------------------------------------------


def test_a_real_gpu_tells_its_memory_and_that_of_a_runner(tmp_path: Path) -> None:
    machine = real_machine(tmp_path)
    if isinstance(machine, str):
        pytest.skip(machine)
    held_bytes = 512 << 20
    with reading({}) as reader, machine.runner(held_bytes) as pid:
        seen = reader.read(pid)
    assert (seen.unknown, seen.lost) == (None, None)
    assert all(gpu.uuid.startswith(("GPU-", "MIG-")) for gpu in seen.devices)
    assert all((gpu.used_bytes or 0) <= (gpu.total_bytes or 0) for gpu in seen.devices)
    assert seen.runner_bytes is None or seen.runner_bytes >= held_bytes


# --- beginning and end ----------------------------------------------------------------------------


def test_the_thread_of_nvml_does_not_keep_the_process(stub: StubMachine) -> None:
    with reads(stub, given="0\n") as reader:
        reader.read()
        assert reader.process.stdin
        reader.process.stdin.close()
        assert reader.process.wait(timeout=10) == 0


def test_nvml_is_not_started_before_it_is_asked() -> None:
    program = "import pynvml, stoker_sidecar.gpu as gpu; gpu.Nvml(gpu.of_machine()).close()"
    command = [sys.executable, "-c", f"{program}; print(pynvml.nvmlLib)"]
    assert subprocess.run(command, capture_output=True, check=True).stdout == b"None\n"
