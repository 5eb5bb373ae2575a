"""Where the tests ask NVML: a machine with the stub, and this one with its real driver."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Protocol

from contract.nvml.probe import Failed, Probe, probing
from nvml.library import sanitizer_runtime, stub_folder
from nvml.state import Device, EccErrors, Memory, Process, State, Utilisation

GPU = Device(
    uuid="GPU-00000000-0000-0000-0000-000000000001",
    memory=Memory(total=85_899_345_920, used=5_368_709_120, reserved=536_870_912),
    utilisation=Utilisation(gpu=37, memory=12),
    power_milliwatts=123_456,
    temperature_celsius=41,
    ecc_errors=EccErrors(corrected=3, uncorrected=1),
    processes=(Process(1234, 5_000_000_000),),
)
STATE = State(devices=(GPU,))
RUNNER_PID = 4242
RUNNER = Path(__file__).with_name("runner.py")


class Machine(Protocol):
    @property
    def is_real(self) -> bool: ...

    def probing(self) -> AbstractContextManager[Probe]:
        """A process with pynvml, not yet initialised."""

    def runner(self, held_bytes: int) -> AbstractContextManager[int]:
        """The id of a process that holds that much memory of the first GPU."""


class StubMachine:
    """Its GPUs are what `become` has said last."""

    is_real = False

    def __init__(self, folder: Path, library: Path, **environment: str) -> None:
        self.log = folder / "stub.log"
        self.path = folder / "state.json"
        self._library = library
        self._environment = environment
        self.become(STATE)

    def become(self, state: State) -> None:
        self.state = state
        state.write(self.path)

    @contextmanager
    def probing(self, library: Path | None = None) -> Iterator[Probe]:
        environment = {
            "LD_LIBRARY_PATH": str(library or self._library),
            "STOKER_NVML_STATE": str(self.path),
            **self._environment,
        }
        with probing(environment, self.log) as probe:
            yield probe

    @contextmanager
    def runner(self, held_bytes: int) -> Iterator[int]:
        before = self.state
        gpu = before.devices[0]
        assert gpu.memory
        assert gpu.processes is not None
        holding = replace(
            gpu,
            memory=replace(gpu.memory, used=gpu.memory.used + held_bytes),
            processes=(*gpu.processes, Process(RUNNER_PID, held_bytes)),
        )
        self.become(replace(before, devices=(holding, *before.devices[1:])))
        yield RUNNER_PID
        self.become(before)


class RealMachine:
    is_real = True

    def __init__(self, folder: Path) -> None:
        self._log = folder / "driver.log"

    @contextmanager
    def probing(self) -> Iterator[Probe]:
        with probing({}, self._log) as probe:
            yield probe

    @contextmanager
    def runner(self, held_bytes: int) -> Iterator[int]:
        command = [sys.executable, str(RUNNER), str(held_bytes)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
            assert process.stdout
            assert process.stdout.readline(), "the runner ended; it printed why"
            yield process.pid
            process.communicate(timeout=30)


def plain_stub(folder: Path) -> StubMachine:
    return StubMachine(folder, stub_folder())


def sanitized_stub(folder: Path) -> StubMachine | str:
    """The stub under the address and undefined-behaviour sanitizers, or why there is none."""
    runtime = sanitizer_runtime()
    if runtime is None:
        return "this compiler has no address sanitizer"
    # Python itself keeps memory until its end, on purpose.
    options = {"LD_PRELOAD": str(runtime), "ASAN_OPTIONS": "detect_leaks=0"}
    return StubMachine(folder, stub_folder(sanitized=True), **options)


def real_machine(folder: Path) -> RealMachine | str:
    """This machine with its driver, or why it is none to test."""
    machine = RealMachine(folder)
    with machine.probing() as probe:
        answer = probe.call("nvmlInit")
        if isinstance(answer, Failed):
            return f"no NVIDIA driver on this machine ({answer.says})"
        return machine if probe.call("nvmlDeviceGetCount") else "the driver has no GPU"
