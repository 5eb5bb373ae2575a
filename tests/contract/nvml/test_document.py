"""The library, pynvml and docs/nvml-stub.md agree on what there is."""

import inspect
import re
import subprocess
from pathlib import Path

import pynvml

from contract.nvml.machines import StubMachine
from contract.nvml.probe import Kept, Probe
from nvml.library import NAME, functions, stub_folder
from nvml.state import FAULTS

PAGE = (Path(__file__).parents[3] / "docs/nvml-stub.md").read_text()


def test_the_library_exports_its_functions_and_nothing_else() -> None:
    command = ["nm", "--dynamic", "--defined-only", "--format=just-symbols"]
    exported = subprocess.check_output([*command, stub_folder() / NAME], text=True)
    assert set(exported.split()) == functions()


def test_pynvml_calls_every_function_by_the_name_it_has_here() -> None:
    called = set(re.findall(r'_nvmlGetFunctionPointer\("(\w+)"\)', inspect.getsource(pynvml)))
    # pynvml starts NVML with flags; programs in C and Go, Ollama too, by this function.
    assert functions() - called == {"nvmlInit_v2"}


def test_every_function_and_every_fault_is_documented() -> None:
    assert set(re.findall(r"`(nvml[A-Z]\w+)`", PAGE)) == functions()
    assert set(re.findall(r"^\| `([a-z-]+)`", PAGE, re.MULTILINE)) == set(FAULTS)


def test_the_state_file_of_the_page_is_a_good_one(stub: StubMachine, probe: Probe) -> None:
    [example] = re.findall(r"```json\n(.*?)```", PAGE, re.DOTALL)
    stub.path.write_text(example)
    probe.keep("gpu", "nvmlDeviceGetHandleByUUID", "GPU-1")
    assert probe.call("nvmlDeviceGetPowerUsage", Kept("gpu")) == 310_000
    assert stub.log.read_text() == ""
