"""A GPU that is divided into MIG devices."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from contract.nvml.machines import GPU, StubMachine
from contract.nvml.probe import Failed, Kept, Probe
from nvml.state import Device, Memory, MigDevice, Process, State

SMALL = MigDevice("MIG-small", "H100 MIG 1g.10gb", Memory(total=10, used=1), (Process(7, 1),))
LARGE = MigDevice("MIG-large", "H100 MIG 3g.40gb", Memory(total=40, used=2), (Process(8, 2),))
DIVIDED: Device = replace(GPU, processes=(), mig=(SMALL, LARGE))
STATE = State(devices=(DIVIDED, replace(GPU, uuid="GPU-undivided", minor=1)))

NOT_SUPPORTED = Failed("NotSupported")


@pytest.fixture
def mig(stub: StubMachine) -> Iterator[Probe]:
    """Has the divided GPU as Kept("gpu"), and its MIG devices as "small" and "large"."""
    stub.become(STATE)
    with stub.probing() as probe:
        probe.call("nvmlInit")
        probe.keep("gpu", "nvmlDeviceGetHandleByIndex", 0)
        probe.keep("small", "nvmlDeviceGetMigDeviceHandleByIndex", Kept("gpu"), 0)
        probe.keep("large", "nvmlDeviceGetMigDeviceHandleByIndex", Kept("gpu"), 1)
        yield probe


@pytest.mark.parametrize(
    ("function", "arguments", "expected"),
    [
        ("nvmlDeviceGetMigMode", (Kept("gpu"),), [1, 1]),
        ("nvmlDeviceGetMaxMigDeviceCount", (Kept("gpu"),), 7),
        ("nvmlDeviceGetMigDeviceHandleByIndex", (Kept("gpu"), 2), Failed("NotFound")),
        ("nvmlDeviceIsMigDeviceHandle", (Kept("large"),), 1),
        ("nvmlDeviceGetUUID", (Kept("large"),), "MIG-large"),
        ("nvmlDeviceGetName", (Kept("large"),), "H100 MIG 3g.40gb"),
        ("nvmlDeviceGetIndex", (Kept("large"),), 1),
        ("nvmlDeviceGetGpuInstanceId", (Kept("large"),), 2),
        ("nvmlDeviceGetComputeInstanceId", (Kept("large"),), 0),
        ("nvmlDeviceGetGpuInstanceId", (Kept("gpu"),), NOT_SUPPORTED),
        ("nvmlDeviceGetMemoryInfo", (Kept("large"),), {"total": 40, "used": 2, "free": 38}),
        ("nvmlDeviceGetUtilizationRates", (Kept("large"),), NOT_SUPPORTED),
        ("nvmlDeviceGetUtilizationRates", (Kept("gpu"),), NOT_SUPPORTED),
        ("nvmlDeviceGetPowerUsage", (Kept("large"),), NOT_SUPPORTED),
        ("nvmlDeviceGetPowerUsage", (Kept("gpu"),), GPU.power_milliwatts),
        ("nvmlDeviceGetPciInfo", (Kept("large"),), NOT_SUPPORTED),
    ],
)
def test_a_divided_gpu_answers(
    mig: Probe, function: str, arguments: tuple[object, ...], expected: object
) -> None:
    assert mig.call(function, *arguments) == expected


def test_a_mig_device_lists_its_processes_and_the_gpu_those_of_all(mig: Probe) -> None:
    def listed(name: str) -> list[tuple[int, int, int]]:
        answer = mig.call("nvmlDeviceGetComputeRunningProcesses", Kept(name))
        return [(each["pid"], each["usedGpuMemory"], each["gpuInstanceId"]) for each in answer]

    assert listed("small") == [(7, 1, 1)]
    assert listed("large") == [(8, 2, 2)]
    assert listed("gpu") == [(7, 1, 1), (8, 2, 2)]


def test_a_mig_device_is_found_by_uuid_and_leads_to_its_gpu(mig: Probe) -> None:
    mig.keep("found", "nvmlDeviceGetHandleByUUID", "MIG-small")
    mig.keep("parent", "nvmlDeviceGetDeviceHandleFromMigDeviceHandle", Kept("found"))
    assert mig.call("nvmlDeviceGetUUID", Kept("parent")) == GPU.uuid


def test_mig_devices_are_not_counted_as_gpus(mig: Probe) -> None:
    assert mig.call("nvmlDeviceGetCount") == 2
    mig.keep("second", "nvmlDeviceGetHandleByIndex", 1)
    assert mig.call("nvmlDeviceGetUUID", Kept("second")) == "GPU-undivided"
    assert mig.call("nvmlDeviceGetMigMode", Kept("second")) == [0, 0]
    assert mig.call("nvmlDeviceGetMaxMigDeviceCount", Kept("second")) == 0


def test_mig_devices_are_lost_with_their_gpu(stub: StubMachine, mig: Probe) -> None:
    stub.become(replace(STATE, faults=(f"gpu-lost:{GPU.uuid}",)))
    assert mig.call("nvmlDeviceGetMemoryInfo", Kept("small")) == Failed("GpuIsLost")
    stub.become(replace(STATE, faults=("gpu-lost:MIG-large",)))
    assert mig.call("nvmlDeviceGetMemoryInfo", Kept("large")) == Failed("GpuIsLost")
    assert mig.call("nvmlDeviceGetMemoryInfo", Kept("small")) == {"total": 10, "used": 1, "free": 9}
