"""The machine that a test asks.

Each test of `machine` runs on the stub, on the stub under sanitizers, and on the real driver where
there is one. What only a stub can show is a test of `stub`.
"""

from collections.abc import Callable, Generator, Iterator
from pathlib import Path

import pytest

from contract.nvml.machines import (
    Machine,
    StubMachine,
    plain_stub,
    real_machine,
    sanitized_stub,
)
from contract.nvml.probe import Probe

STUBS: dict[str, Callable[[Path], StubMachine | str]] = {
    "stub": plain_stub,
    "sanitized": sanitized_stub,
}
MACHINES: dict[str, Callable[[Path], Machine | str]] = {**STUBS, "real": real_machine}


@pytest.fixture(params=MACHINES)
def machine(request: pytest.FixtureRequest, tmp_path: Path) -> Machine:
    found = MACHINES[request.param](tmp_path)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture(params=STUBS)
def stub(request: pytest.FixtureRequest, tmp_path: Path) -> StubMachine:
    found = STUBS[request.param](tmp_path)
    if isinstance(found, str):
        pytest.skip(found)
    return found


@pytest.fixture
def probe(stub: StubMachine) -> Iterator[Probe]:
    """Has initialised pynvml on the stub, with the first GPU as Kept("gpu")."""
    with stub.probing() as started:
        assert started.call("nvmlInit") is None
        assert started.keep("gpu", "nvmlDeviceGetHandleByIndex", 0) is None
        yield started


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows, with a failed test, what the libraries printed."""
    report = yield
    folder = getattr(item, "funcargs", {}).get("tmp_path")
    if report.when == "call" and report.failed and folder:
        for log in folder.glob("*.log"):
            report.sections.append((log.name, log.read_text()[-4000:]))
    return report
