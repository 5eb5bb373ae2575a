"""The Ollama that the contract tests run against: a fresh one for each test.

A server starts in a fifth of a second and its tiny models load in a third, so no test has to care
about what another one left behind.
"""

from collections.abc import Generator, Iterator

import pytest

from contract.ollama.api import Launch, Ollama
from contract.ollama.launching import KINDS, launching

SERVERS = pytest.StashKey[list[Ollama]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--ollama",
        choices=KINDS,
        default="real",
        help="what is tested: the real Ollama, or the simulator",
    )


@pytest.fixture
def launch(request: pytest.FixtureRequest) -> Iterator[Launch]:
    """Starts servers, and ends them with the test."""
    # Options of a conftest this deep are unknown when pytest is given a folder above it.
    kind = request.config.getoption("--ollama", "real")
    with launching(kind, request.node.stash.setdefault(SERVERS, [])) as start:
        yield start


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Shows, with a failed test, what its servers printed."""
    report = yield
    if report.when == "call" and report.failed:
        for server in item.stash.get(SERVERS, []):
            report.sections.append(("Ollama's log", server.processes.log_tail()))
    return report


@pytest.fixture
def hasty(launch: Launch) -> Ollama:
    """The same, for a test that waits for half a minute: the time of a simulator goes faster."""
    return launch(STOKER_SIMULATOR="--speed 20")
