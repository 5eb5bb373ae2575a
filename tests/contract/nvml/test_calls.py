"""What each call answers, on the stub and on a real GPU."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest

from contract.nvml.machines import GPU, Machine
from contract.nvml.probe import Failed, Kept, Probe
from support.waiting import wait_for

NVML_MEMORY_V2 = 0x02000028
NO_INSTANCE = 0xFFFFFFFF
MIB = 1 << 20


def equals(expected: object) -> Callable[[Any], bool]:
    return lambda value: bool(value == expected)


def is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def is_dotted(value: Any) -> bool:
    return is_text(value) and all(part.isdigit() for part in value.split("."))


def is_percentages(value: Any) -> bool:
    return set(value) == {"gpu", "memory"} and all(0 <= each <= 100 for each in value.values())


def adds_up(value: Any) -> bool:
    return bool(value["total"] == value["used"] + value["free"])


def adds_up_with_reserved(value: Any) -> bool:
    return bool(value["total"] == value["used"] + value["free"] + value["reserved"])


def is_bus(value: Any) -> bool:
    place = f"{value['domain']:08X}:{value['bus']:02X}:{value['device']:02X}.0"
    return [value["busId"].upper(), value["busIdLegacy"].upper()] == [place, place[4:]]


def is_from(low: float, high: float) -> Callable[[Any], bool]:
    return lambda value: low <= value <= high


def is_process_list(value: Any) -> bool:
    keys = {"pid", "usedGpuMemory", "gpuInstanceId", "computeInstanceId"}
    return all(set(process) == keys for process in value)


@dataclass(frozen=True)
class Row:
    """A call, what holds of its answer on every GPU, and the answer of the stub."""

    says: str
    function: str
    arguments: tuple[Any, ...]
    holds: Callable[[Any], bool]
    on_stub: Any
    may_be_unsupported: bool = False


UNSUPPORTED = (Failed("NotSupported"), Failed("FunctionNotFound"))
DEVICE = (Kept("gpu"),)
PROCESS = {
    "pid": 1234,
    "usedGpuMemory": 5_000_000_000,
    "gpuInstanceId": NO_INSTANCE,
    "computeInstanceId": NO_INSTANCE,
}
MEMORY = {"total": 85_899_345_920, "free": 79_993_765_888, "used": 5_905_580_032}
PARTS = {**MEMORY, "used": 5_368_709_120, "reserved": 536_870_912, "version": NVML_MEMORY_V2}
PCI = {
    "busIdLegacy": "0000:01:00.0",
    "busId": "00000000:01:00.0",
    "domain": 0,
    "bus": 1,
    "device": 0,
    "pciDeviceId": 0x233010DE,
    "pciSubSystemId": 0,
}
ROWS = [
    Row("the driver's version", "nvmlSystemGetDriverVersion", (), is_dotted, "580.159.03"),
    Row("NVML's version", "nvmlSystemGetNVMLVersion", (), is_dotted, "13.580.159.03"),
    Row("CUDA's version", "nvmlSystemGetCudaDriverVersion", (), is_from(9000, 99000), 13000),
    Row("CUDA, anew", "nvmlSystemGetCudaDriverVersion_v2", (), is_from(9000, 99000), 13000),
    Row("an error's sentence", "nvmlErrorString", (15,), equals("GPU is lost"), "GPU is lost"),
    Row("how many GPUs", "nvmlDeviceGetCount", (), is_from(1, 64), 1),
    Row("a name", "nvmlDeviceGetName", DEVICE, is_text, "Stoker Simulated GPU"),
    Row("a uuid", "nvmlDeviceGetUUID", DEVICE, lambda uuid: uuid.startswith("GPU-"), GPU.uuid),
    Row("an index", "nvmlDeviceGetIndex", DEVICE, equals(0), 0),
    Row("a minor number", "nvmlDeviceGetMinorNumber", DEVICE, is_from(0, 255), 0),
    Row("a bus", "nvmlDeviceGetPciInfo", DEVICE, is_bus, PCI),
    Row("memory", "nvmlDeviceGetMemoryInfo", DEVICE, adds_up, MEMORY),
    Row(
        "memory with what is reserved",
        "nvmlDeviceGetMemoryInfo",
        (*DEVICE, NVML_MEMORY_V2),
        adds_up_with_reserved,
        PARTS,
    ),
    Row("processes", "nvmlDeviceGetComputeRunningProcesses", DEVICE, is_process_list, [PROCESS]),
    Row(
        "processes, second version",
        "nvmlDeviceGetComputeRunningProcesses_v2",
        DEVICE,
        is_process_list,
        [PROCESS],
    ),
    Row(
        "utilisation",
        "nvmlDeviceGetUtilizationRates",
        DEVICE,
        is_percentages,
        {"gpu": 37, "memory": 12},
        may_be_unsupported=True,
    ),
    Row(
        "power in milliwatts",
        "nvmlDeviceGetPowerUsage",
        DEVICE,
        is_from(1_000, 2_000_000),
        123_456,
        may_be_unsupported=True,
    ),
    Row("temperature", "nvmlDeviceGetTemperature", (*DEVICE, 0), is_from(1, 120), 41),
    Row(
        "temperature, by the newer call",
        "nvmlDeviceGetTemperatureV1",
        (*DEVICE, 0),
        is_from(1, 120),
        41,
        may_be_unsupported=True,
    ),
    Row(
        "corrected memory errors",
        "nvmlDeviceGetTotalEccErrors",
        (*DEVICE, 0, 0),
        is_from(0, 1 << 40),
        3,
        may_be_unsupported=True,
    ),
    Row(
        "uncorrected memory errors of all time",
        "nvmlDeviceGetTotalEccErrors",
        (*DEVICE, 1, 1),
        is_from(0, 1 << 40),
        1,
        may_be_unsupported=True,
    ),
    Row(
        "MIG mode",
        "nvmlDeviceGetMigMode",
        DEVICE,
        lambda modes: all(mode in (0, 1) for mode in modes),
        [0, 0],
        may_be_unsupported=True,
    ),
    Row("a GPU is no MIG device", "nvmlDeviceIsMigDeviceHandle", DEVICE, equals(0), 0),
    Row(
        "no GPU has this uuid",
        "nvmlDeviceGetHandleByUUID",
        ("GPU-ffffffff-ffff-ffff-ffff-ffffffffffff",),
        equals(Failed("NotFound")),
        Failed("NotFound"),
    ),
    Row(
        "no GPU has this index",
        "nvmlDeviceGetHandleByIndex",
        (99,),
        equals(Failed("InvalidArgument")),
        Failed("InvalidArgument"),
    ),
    Row(
        "no GPU is on this bus",
        "nvmlDeviceGetHandleByPciBusId",
        ("0000:FE:00.0",),
        equals(Failed("NotFound")),
        Failed("NotFound"),
    ),
    Row(
        "a struct of a version that does not exist is refused",
        "nvmlDeviceGetMemoryInfo",
        (*DEVICE, 0x7F000028),
        equals(Failed("ArgumentVersionMismatch")),
        Failed("ArgumentVersionMismatch"),
    ),
]


@pytest.mark.parametrize("row", ROWS, ids=lambda row: row.says)
def test_a_call_answers(machine: Machine, row: Row) -> None:
    with machine.probing() as probe:
        initialise(probe)
        answer = probe.call(row.function, *row.arguments)
    if machine.is_real and row.may_be_unsupported and answer in UNSUPPORTED:
        pytest.skip("this GPU or its driver does not tell")
    assert row.holds(answer)
    if not machine.is_real:
        assert answer == row.on_stub


@pytest.mark.parametrize("function", ["nvmlDeviceGetCount", "nvmlSystemGetDriverVersion"])
def test_nothing_answers_before_init_or_after_shutdown(machine: Machine, function: str) -> None:
    with machine.probing() as probe:
        assert probe.call(function) == Failed("Uninitialized")
        initialise(probe)
        assert not isinstance(probe.call(function), Failed)
        probe.call("nvmlShutdown")
        assert probe.call(function) == Failed("Uninitialized")


def test_as_many_shutdowns_as_inits_are_needed(machine: Machine) -> None:
    with machine.probing() as probe:
        for _ in range(2):
            probe.call("nvmlInit")
        probe.call("nvmlShutdown")
        assert probe.call("nvmlDeviceGetCount") >= 1


def test_a_device_is_found_by_uuid_and_by_bus_too(machine: Machine) -> None:
    with machine.probing() as probe:
        initialise(probe)
        uuid = probe.call("nvmlDeviceGetUUID", Kept("gpu"))
        bus = probe.call("nvmlDeviceGetPciInfo", Kept("gpu"))["busId"]
        assert probe.keep("by uuid", "nvmlDeviceGetHandleByUUID", uuid) is None
        assert probe.keep("by bus", "nvmlDeviceGetHandleByPciBusId", bus) is None
        assert probe.call("nvmlDeviceGetUUID", Kept("by uuid")) == uuid
        assert probe.call("nvmlDeviceGetUUID", Kept("by bus")) == uuid


def test_the_memory_of_a_runner_is_seen_and_seen_to_go(machine: Machine) -> None:
    held_bytes = 512 * MIB
    with machine.probing() as probe:
        initialise(probe)

        def used() -> int:
            return int(probe.call("nvmlDeviceGetMemoryInfo", Kept("gpu"))["used"])

        before = used()
        with machine.runner(held_bytes) as pid:
            assert used() - before >= held_bytes
            listed = probe.call("nvmlDeviceGetComputeRunningProcesses", Kept("gpu"))
        wait_for("free memory", lambda: used() - before < held_bytes)
    memory_of = {process["pid"]: process["usedGpuMemory"] for process in listed}
    if machine.is_real and pid not in memory_of:
        pytest.skip("this driver names processes as the host does, or not at all")
    assert memory_of[pid] >= held_bytes


def initialise(probe: Probe) -> None:
    assert probe.call("nvmlInit") is None
    assert probe.keep("gpu", "nvmlDeviceGetHandleByIndex", 0) is None
