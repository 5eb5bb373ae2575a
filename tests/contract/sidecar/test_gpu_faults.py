"""Each way in which NVML fails, as the sidecar tells it; and that it sees the end of each."""

from dataclasses import dataclass, replace
from pathlib import Path

import pytest

from contract.nvml.machines import GPU, STATE, StubMachine, plain_stub
from contract.sidecar.gpu_reading import OTHER, PAIR, reading, reads
from nvml.library import NAME
from nvml.state import State
from stoker_sidecar.heat.observation import Gpus
from support.waiting import wait_for

GIVEN = f"{GPU.uuid}\n"
HANGS_SECONDS = 0.2
"""After which a test that hangs a call wants to hear of it."""


@pytest.fixture
def stub(tmp_path: Path) -> StubMachine:
    return plain_stub(tmp_path)


@dataclass(frozen=True)
class Row:
    fault: str
    unknown: str = ""
    lost: str = ""

    def holds(self, seen: Gpus) -> bool:
        return (
            self.unknown in (seen.unknown or "")
            and self.lost in (seen.lost or "")
            and (bool(seen.unknown), bool(seen.lost)) == (bool(self.unknown), bool(self.lost))
        )


LOST = f"{GPU.uuid} is lost: the driver has given it up"
MEMORY = "nvmlDeviceGetMemoryInfo_v2"
WHILE_IT_RUNS = {
    "the GPU falls off the bus (P23)": Row(f"gpu-lost:{GPU.uuid}", lost=LOST),
    "all GPUs do": Row("gpu-lost", lost=LOST),
    "a single call tells it": Row("gpu-lost:nvmlDeviceGetPowerUsage", lost=LOST),
    "the container loses its devices (P23)": Row(
        "unknown-error", unknown="the container has lost its devices"
    ),
    "the container may not open the GPU": Row(
        "no-permission", unknown="the sidecar may not open the GPU"
    ),
    "it may not ask for the memory": Row(
        f"no-permission:{MEMORY}", unknown="'Insufficient Permissions' to nvmlDeviceGetMemoryInfo"
    ),
    "the memory cannot be read": Row(
        f"unknown-error:{MEMORY}", unknown="'Unknown Error' to nvmlDeviceGetMemoryInfo"
    ),
    "the driver is too old for anything": Row("missing-symbol"),
}


@pytest.mark.p(23)
@pytest.mark.parametrize("row", WHILE_IT_RUNS.values(), ids=WHILE_IT_RUNS.keys())
def test_a_fault_while_it_runs_is_told_and_so_is_its_end(stub: StubMachine, row: Row) -> None:
    with reads(stub, given=GIVEN) as reader:
        healthy = reader.read()
        stub.become(replace(STATE, faults=(row.fault,)))
        assert row.holds(reader.read(later=3))
        assert row.holds(reader.read_once_retried())
        stub.become(STATE)
        answer = reader.ask(later=61)
    assert answer.gpus == healthy
    assert answer.starts == 1


AT_THE_START = {
    "no driver": Row("no-driver", unknown="the NVIDIA driver does not run on this machine"),
    "no permission": Row("no-permission", unknown="the sidecar may not open the GPU"),
    "no permission for the only GPU": Row(
        f"no-permission:{GPU.uuid}",
        unknown="'Insufficient Permissions' to nvmlDeviceGetHandleByIndex",
    ),
    "no devices in the container (P23)": Row(
        "unknown-error", unknown="the container has lost its devices"
    ),
    "a driver from before nvmlInitWithFlags": Row(
        "missing-symbol:nvmlInitWithFlags", unknown="this driver is too old"
    ),
    "a GPU that is lost already": Row(f"gpu-lost:{GPU.uuid}", lost=LOST),
}


@pytest.mark.p(23)
@pytest.mark.parametrize("row", AT_THE_START.values(), ids=AT_THE_START.keys())
def test_a_fault_at_the_start_is_told_and_so_is_its_end(stub: StubMachine, row: Row) -> None:
    stub.become(replace(STATE, faults=(row.fault,)))
    with reads(stub, given=GIVEN) as reader:
        assert row.holds(reader.read())
        stub.become(STATE)
        answer = reader.ask(later=1)
    assert (answer.gpus.unknown, answer.gpus.lost) == (None, None)
    assert (answer.starts, answer.failures) == (1, 1)


def test_a_lost_gpu_leaves_the_others_readable(stub: StubMachine) -> None:
    stub.become(PAIR)
    with reads(stub, given=f"{GPU.uuid},{OTHER.uuid}\n") as reader:
        reader.read()
        stub.become(replace(PAIR, faults=(f"gpu-lost:{GPU.uuid}",)))
        seen = reader.read()
    assert seen.lost
    assert GPU.uuid in seen.lost
    assert [gpu.uuid for gpu in seen.devices] == [OTHER.uuid]


def test_a_lost_gpu_of_others_is_not_the_pods(stub: StubMachine) -> None:
    stub.become(replace(PAIR, faults=(f"gpu-lost:{OTHER.uuid}",)))
    with reads(stub, given=GIVEN) as reader:
        seen = reader.read()
    assert (seen.unknown, seen.lost) == (None, None)


def test_a_gpu_that_is_not_listed_is_unknown_when_one_may_not_be_seen(stub: StubMachine) -> None:
    third = replace(GPU, uuid="GPU-3", minor=2)
    faults = (f"gpu-lost:{OTHER.uuid}", "no-permission:GPU-3")
    stub.become(State(devices=(GPU, OTHER, third), faults=faults))
    with reads(stub, given="GPU-3\n") as reader:
        seen = reader.read()
    assert seen.lost is None
    assert seen.unknown
    assert "GPU-3 is not among those that NVML lists here" in seen.unknown


def test_a_gpu_that_comes_later_is_found(stub: StubMachine) -> None:
    with reads(stub, given=f"{OTHER.uuid}\n") as reader:
        unknown = reader.read().unknown
        assert unknown
        assert f"{OTHER.uuid} is not among those that NVML lists here ({GPU.uuid})" in unknown
        stub.become(PAIR)
        assert [gpu.uuid for gpu in reader.read(later=1).devices] == [OTHER.uuid]


def test_without_a_library_it_says_who_brings_one(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"")  # the loader stops here, also where there is a driver
    with reading({"LD_LIBRARY_PATH": str(tmp_path)}) as reader:
        unknown = reader.read().unknown
    assert unknown
    assert "NVIDIA's runtime mounts libnvidia-ml.so.1 into containers" in unknown


def test_nvml_is_started_anew_ever_more_rarely(stub: StubMachine) -> None:
    broken = replace(STATE, faults=("no-driver",))
    stub.become(broken)
    with reads(stub, given=GIVEN) as reader:
        for wait_seconds in (1, 2, 4):
            assert reader.read().unknown
            stub.become(STATE)
            assert reader.read(later=0.9 * wait_seconds).unknown, "it has asked too early"
            stub.become(broken)
            assert reader.read(later=0.1 * wait_seconds).unknown
        stub.become(STATE)
        assert reader.read(later=8).unknown is None


# --- a driver that hangs ------------------------------------------------------------------------


@pytest.mark.parametrize(
    "function", ["nvmlInitWithFlags", "nvmlDeviceGetCount_v2", "nvmlDeviceGetMemoryInfo_v2"]
)
def test_a_hang_is_told_while_the_loop_goes_on(stub: StubMachine, function: str) -> None:
    stub.become(replace(STATE, faults=(f"hang:{function}",)))
    with reads(stub, given=GIVEN, deadline_seconds=HANGS_SECONDS) as reader:
        first = reader.ask()
        assert first.gpus.unknown
        assert first.beats >= 5  # of 20
        second = reader.ask(later=12)
        assert second.gpus.unknown
        assert "NVML has not answered for 12 s (in nvml" in second.gpus.unknown
        stub.become(STATE)
        wait_for("an answer", lambda: not reader.read().unknown)
        assert reader.ask().starts == 1


def test_a_process_can_end_while_nvml_hangs(stub: StubMachine) -> None:
    stub.become(replace(STATE, faults=("hang",)))
    with reads(stub, given=GIVEN, deadline_seconds=HANGS_SECONDS) as reader:
        assert reader.read().unknown
        assert reader.process.stdin
        reader.process.stdin.close()
        assert reader.process.wait(timeout=10) == 0
