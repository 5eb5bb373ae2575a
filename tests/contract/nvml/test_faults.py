"""Each way in which NVML fails, on command."""

from dataclasses import replace
from pathlib import Path

import pytest

from contract.nvml.machines import GPU, STATE, StubMachine
from contract.nvml.probe import PATIENCE_SECONDS, Failed, Kept, Probe, probing
from nvml.library import NAME, stub_folder
from nvml.state import State

OTHER = replace(GPU, uuid="GPU-00000000-0000-0000-0000-000000000002", minor=1)
PAIR = State(devices=(GPU, OTHER))

GPU_IS_LOST = Failed("GpuIsLost")
MEMORY = ("nvmlDeviceGetMemoryInfo", Kept("gpu"))
POWER = ("nvmlDeviceGetPowerUsage", Kept("gpu"))


@pytest.mark.parametrize(
    ("fault", "error"),
    [
        ("no-driver", "DriverNotLoaded"),
        ("no-permission", "NoPermission"),
        ("no-permission:nvmlInitWithFlags", "NoPermission"),
        ("unknown-error", "Unknown"),
        ("missing-symbol:nvmlInitWithFlags", "FunctionNotFound"),
    ],
)
def test_nvml_does_not_start(stub: StubMachine, fault: str, error: str) -> None:
    stub.become(replace(STATE, faults=(fault,)))
    with stub.probing() as probe:
        assert probe.call("nvmlInit") == Failed(error)
        assert probe.call("nvmlDeviceGetCount") == Failed("Uninitialized")
        stub.become(STATE)
        assert probe.call("nvmlInit") is None


@pytest.mark.parametrize(
    ("fault", "memory_error", "power_error"),
    [
        (f"gpu-lost:{GPU.uuid}", "GpuIsLost", "GpuIsLost"),
        ("gpu-lost", "GpuIsLost", "GpuIsLost"),
        ("unknown-error", "Unknown", "Unknown"),
        ("unknown-error:nvmlDeviceGetMemoryInfo", "Unknown", None),
        ("no-permission", "NoPermission", "NoPermission"),
        (f"no-permission:{GPU.uuid}", "NoPermission", "NoPermission"),
        ("no-permission:nvmlDeviceGetPowerUsage", None, "NoPermission"),
        ("missing-symbol:nvmlDeviceGetPowerUsage", None, "FunctionNotFound"),
    ],
)
def test_calls_fail_from_now_on_and_until_the_fault_is_cleared(
    stub: StubMachine, probe: Probe, fault: str, memory_error: str | None, power_error: str | None
) -> None:
    healthy = [probe.call(*MEMORY), probe.call(*POWER)]
    stub.become(replace(STATE, faults=(fault,)))
    answers = [probe.call(*MEMORY), probe.call(*POWER)]
    errors = [answer.name if isinstance(answer, Failed) else None for answer in answers]
    assert errors == [memory_error, power_error]
    stub.become(STATE)
    assert [probe.call(*MEMORY), probe.call(*POWER)] == healthy


def test_a_lost_gpu_is_still_counted_and_the_others_answer(stub: StubMachine, probe: Probe) -> None:
    stub.become(replace(PAIR, faults=(f"gpu-lost:{GPU.uuid}",)))
    assert probe.call("nvmlDeviceGetCount") == 2
    assert probe.keep("gone", "nvmlDeviceGetHandleByIndex", 0) == GPU_IS_LOST
    assert probe.keep("gone", "nvmlDeviceGetHandleByUUID", GPU.uuid) == GPU_IS_LOST
    assert probe.keep("other", "nvmlDeviceGetHandleByIndex", 1) is None
    assert probe.call("nvmlDeviceGetUUID", Kept("other")) == OTHER.uuid


def test_a_driver_cannot_go_while_it_is_in_use(stub: StubMachine, probe: Probe) -> None:
    stub.become(replace(STATE, faults=("no-driver",)))
    assert probe.call(*POWER) == GPU.power_milliwatts


def test_a_call_hangs_until_the_fault_is_cleared_and_others_do_not(
    stub: StubMachine, probe: Probe
) -> None:
    stub.become(replace(STATE, faults=("hang:nvmlDeviceGetPowerUsage",)))
    hanging = probe.start(*POWER)
    assert probe.call("nvmlDeviceGetUUID", Kept("gpu")) == GPU.uuid
    assert not hanging.done()
    # The answer is that of the state that ended the hang: so the call did wait for it.
    stub.become(State(devices=(replace(GPU, power_milliwatts=777),)))
    assert hanging.result(PATIENCE_SECONDS) == 777


def test_a_hang_can_hold_one_device(stub: StubMachine, probe: Probe) -> None:
    stub.become(replace(PAIR, faults=(f"hang:{OTHER.uuid}",)))
    hanging = probe.start("nvmlDeviceGetHandleByUUID", OTHER.uuid, keep="other")
    assert probe.call(*POWER) == GPU.power_milliwatts
    assert not hanging.done()
    stub.become(PAIR)
    assert hanging.result(PATIENCE_SECONDS) is None


def test_init_can_hang(stub: StubMachine) -> None:
    stub.become(replace(STATE, faults=("hang:nvmlInitWithFlags",)))
    with stub.probing() as probe:
        hanging = probe.start("nvmlInit")
        assert probe.call("nvmlErrorString", 999) == "Unknown Error"
        assert not hanging.done()
        stub.become(STATE)
        assert hanging.result(PATIENCE_SECONDS) is None


def test_a_hang_that_nobody_clears_ends_as_a_timeout(stub: StubMachine, probe: Probe) -> None:
    fault = "hang:nvmlDeviceGetPowerUsage"
    stub.become(replace(STATE, faults=(fault,), hang_seconds=1))
    assert probe.call(*POWER) == Failed("Timeout")


def test_an_older_driver_lacks_a_function(stub: StubMachine) -> None:
    """The function is not in the library at all, for programs that look before they call."""
    older = stub_folder(without=["nvmlDeviceGetPowerUsage"])
    with stub.probing(older) as probe:
        probe.call("nvmlInit")
        probe.keep("gpu", "nvmlDeviceGetHandleByIndex", 0)
        assert probe.call(*POWER) == Failed("FunctionNotFound")
        assert not isinstance(probe.call(*MEMORY), Failed)


def test_a_library_that_is_broken_is_as_good_as_none(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"")
    environment = {"LD_LIBRARY_PATH": str(tmp_path)}
    with probing(environment, tmp_path / "probe.log") as probe:
        assert probe.call("nvmlInit") == Failed("LibraryNotFound")
        assert probe.call("nvmlDeviceGetCount") == Failed("Uninitialized")


def test_there_is_no_library(tmp_path: Path) -> None:
    with probing({"LD_LIBRARY_PATH": str(tmp_path)}, tmp_path / "probe.log") as probe:
        answer = probe.call("nvmlInit")
        if answer != Failed("LibraryNotFound"):
            pytest.skip("this machine has a driver, whose library is always found")
        assert answer.says == "NVML Shared Library Not Found"
