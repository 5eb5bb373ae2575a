"""The stub says what its state file says, at once, whatever is done to the file."""

import json
import random
from dataclasses import asdict, replace
from typing import Any

import pytest

from contract.nvml.machines import GPU, STATE, StubMachine
from contract.nvml.probe import Failed, Kept, Probe
from nvml.state import FAULTS, Device, EccErrors, Memory, Process, State

SILENT = Device(uuid="GPU-silent", minor=None, processes=None, mig=None)
NOT_SUPPORTED = Failed("NotSupported")
MEMORY = ("nvmlDeviceGetMemoryInfo", Kept("gpu"))


@pytest.mark.parametrize(
    ("function", "arguments"),
    [
        ("nvmlDeviceGetMemoryInfo", ()),
        ("nvmlDeviceGetUtilizationRates", ()),
        ("nvmlDeviceGetPowerUsage", ()),
        ("nvmlDeviceGetTemperature", (0,)),
        ("nvmlDeviceGetTemperatureV1", (0,)),
        ("nvmlDeviceGetTotalEccErrors", (0, 0)),
        ("nvmlDeviceGetComputeRunningProcesses", ()),
        ("nvmlDeviceGetMinorNumber", ()),
        ("nvmlDeviceGetMigMode", ()),
    ],
)
def test_what_the_file_does_not_tell_is_not_supported(
    stub: StubMachine, probe: Probe, function: str, arguments: tuple[int, ...]
) -> None:
    stub.become(State(devices=(SILENT,)))
    probe.keep("gpu", "nvmlDeviceGetHandleByIndex", 0)
    assert probe.call(function, Kept("gpu"), *arguments) == NOT_SUPPORTED


def gpu_with(**changes: Any) -> State:
    return State(devices=(replace(GPU, **changes),))


POWER = ("nvmlDeviceGetPowerUsage", Kept("gpu"))


@pytest.mark.parametrize(
    ("call", "state", "expected"),
    [
        (POWER, gpu_with(power_milliwatts=7), 7),
        (
            ("nvmlDeviceGetTemperature", Kept("gpu"), 0),
            gpu_with(temperature_celsius=99),
            99,
        ),
        (
            ("nvmlDeviceGetTotalEccErrors", Kept("gpu"), 1, 0),
            gpu_with(ecc_errors=EccErrors(corrected=0, uncorrected=8)),
            8,
        ),
        (
            # More than there is, on purpose.
            MEMORY,
            gpu_with(memory=Memory(total=100, used=200)),
            {"total": 100, "used": 200, "free": 0},
        ),
        (
            ("nvmlDeviceGetComputeRunningProcesses", Kept("gpu")),
            gpu_with(processes=()),
            [],
        ),
        (("nvmlDeviceGetName", Kept("gpu")), gpu_with(name='a "\\/'), 'a "\\/'),
        (("nvmlSystemGetDriverVersion",), replace(STATE, driver="1.2"), "1.2"),
    ],
    ids=["power", "temperature", "errors", "memory", "processes", "an odd name", "driver"],
)
def test_a_change_of_the_file_is_in_the_next_answer(
    stub: StubMachine, probe: Probe, call: tuple[Any, ...], state: State, expected: object
) -> None:
    assert probe.call(*call) != expected
    stub.become(state)
    assert probe.call(*call) == expected


def test_of_many_changes_each_is_seen(stub: StubMachine, probe: Probe) -> None:
    """The file keeps its size, and two changes may fall into one tick of the file's clock."""
    for milliwatts in range(1000, 1500):
        stub.become(gpu_with(power_milliwatts=milliwatts))
        assert probe.call(*POWER) == milliwatts


def test_a_process_may_hide_how_much_memory_it_has(stub: StubMachine, probe: Probe) -> None:
    stub.become(gpu_with(processes=(Process(pid=7),)))
    [listed] = probe.call("nvmlDeviceGetComputeRunningProcesses", Kept("gpu"))
    assert (listed["pid"], listed["usedGpuMemory"]) == (7, None)


def test_a_handle_stays_with_its_device(stub: StubMachine, probe: Probe) -> None:
    other = replace(GPU, uuid="GPU-other", minor=5)
    stub.become(State(devices=(other, GPU)))
    assert probe.call("nvmlDeviceGetCount") == 2
    assert probe.call("nvmlDeviceGetUUID", Kept("gpu")) == GPU.uuid
    assert probe.call("nvmlDeviceGetIndex", Kept("gpu")) == 1
    stub.become(State(devices=(other,)))
    assert probe.call("nvmlDeviceGetUUID", Kept("gpu")) == Failed("GpuIsLost")


def test_a_machine_may_have_a_driver_and_no_gpu(stub: StubMachine, probe: Probe) -> None:
    stub.become(State())
    assert probe.call("nvmlDeviceGetCount") == 0


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "line 1: expected {"),
        ('{"devices": [\n\n{"uid": "GPU-1"}]}', 'line 3: there is no field "uid" here, but uuid, '),
        ('{"devices": [{"name": "x"}]}', 'line 1: this device has no "uuid"'),
        (
            '{"faults": ["gpu-gone"]}',
            f'line 1: there is no fault "gpu-gone", but {", ".join(FAULTS)}',
        ),
        ('{"hang_seconds": -1}', "line 1: expected a whole number that is not negative"),
        ('{"hang_seconds": 1.5}', "line 1: expected a whole number that is not negative"),
        ('{"hang_seconds": 99999999999999999999}', "line 1: the number is too large"),
        ('{"driver": 580}', "line 1: expected a text"),
        ('{"driver": "\u00e9"}', "line 1: a text may hold printable ASCII only"),
        ('{"driver": "' + 96 * "5" + '"}', "line 1: the text is longer than 95 characters"),
        ("{} {}", "line 1: expected nothing more"),
        (" " * (1 << 18) + "{}", "the file is larger than 256 KiB"),
        (
            '{"devices": [' + ",".join(65 * ['{"uuid": "x"}']) + "]}",
            "line 1: more than 64 GPUs and MIG devices",
        ),
        (
            '{"devices": [{"uuid": "x", "processes": [' + ",".join(65 * ['{"pid": 1}']) + "]}]}",
            "line 1: more than 64 processes on one device",
        ),
        (
            '{"devices": [{"uuid": "x", "mig": [' + ",".join(8 * ['{"uuid": "y"}']) + "]}]}",
            "line 1: more than 7 MIG devices on one GPU",
        ),
        ('{"faults": [' + ",".join(33 * ['"hang:x"']) + "]}", "line 1: more than 32 faults"),
    ],
)
def test_a_bad_file_changes_nothing_and_is_complained_of_once(
    stub: StubMachine, probe: Probe, text: str, complaint: str
) -> None:
    good = probe.call(*MEMORY)
    stub.path.write_text(text, encoding="utf-8")
    assert [probe.call(*MEMORY) for _ in range(3)] == [good] * 3
    assert stub.log.read_text().count(f"nvml stub: {stub.path}: {complaint}") == 1
    stub.become(STATE)
    assert probe.call(*MEMORY) == good


def test_a_file_that_was_cut_off_anywhere_changes_nothing(stub: StubMachine, probe: Probe) -> None:
    good = probe.call(*MEMORY)
    text = json.dumps(asdict(gpu_with(memory=Memory(total=1))))
    for length in range(len(text)):
        stub.path.write_text(text[:length])
        assert probe.call(*MEMORY) == good, text[:length]


def test_no_file_can_crash_the_stub(stub: StubMachine, probe: Probe) -> None:
    """Mostly of use under the sanitizers: a wrong access to memory ends the process."""
    text = json.dumps(asdict(STATE)).encode()
    chance = random.Random(5)
    for _ in range(1000):
        spoilt = bytearray(text)
        for _ in range(chance.randint(1, 4)):
            at = chance.randrange(len(spoilt))
            spoilt[at : at + chance.randint(0, 3)] = chance.randbytes(chance.randint(0, 3))
        stub.path.write_bytes(spoilt)
        probe.call(*MEMORY)
        probe.call("nvmlDeviceGetComputeRunningProcesses", Kept("gpu"))
    stub.become(STATE)
    assert probe.call(*POWER) == GPU.power_milliwatts


def test_without_a_file_there_is_no_driver_until_one_comes(stub: StubMachine) -> None:
    stub.path.unlink()
    with stub.probing() as probe:
        assert probe.call("nvmlInit") == Failed("DriverNotLoaded")
        assert f"nvml stub: {stub.path}: No such file or directory" in stub.log.read_text()
        stub.become(STATE)
        assert probe.call("nvmlInit") is None


def test_a_fault_that_cannot_be_met_is_refused_with_what_there_is() -> None:
    with pytest.raises(ValueError, match="there is no fault 'gpu-gone', but no-driver, gpu-lost"):
        replace(STATE, faults=("gpu-gone",))
    with pytest.raises(ValueError, match="the stub has no function 'nvmlDeviceGetMemory'"):
        replace(STATE, faults=("hang:nvmlDeviceGetMemory",))
    with pytest.raises(ValueError, match="no device has the uuid 'GPU-2'"):
        replace(STATE, faults=("gpu-lost:GPU-2",))
