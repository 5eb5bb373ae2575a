"""The Ollama that the contract tests run against: a fresh one for each test.

A server starts in a fifth of a second and its tiny models load in a third, so no test has to care
about what another one left behind.
"""

from collections.abc import Callable, Generator, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack

import pytest

from bed import models, ollama
from bed import registry as model_registry
from bed.models import Model
from bed.registry import Registry
from contract.ollama.api import NOTHING, Launch, Ollama, Processes
from contract.simulator import serving as simulator

Serving = Callable[[Mapping[str, Model], Mapping[str, str]], AbstractContextManager[Processes]]

SERVERS = pytest.StashKey[list[Ollama]]()

# What `--ollama` chooses from: ways to bring up a server that has these models.
KINDS: dict[str, Serving] = {"real": ollama.serving, "simulator": simulator.serving}


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
    serving = KINDS[request.config.getoption("--ollama", "real")]
    small = {"tiny": models.tiny(), "other": models.other(), "embedding": models.embedding()}
    with ExitStack() as stack:

        def start(more: Mapping[str, Model] = NOTHING, **environment: str) -> Ollama:
            server = Ollama(stack.enter_context(serving({**small, **more}, environment)))
            stack.callback(server.http.close)
            request.node.stash.setdefault(SERVERS, []).append(server)
            return server

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
def server(launch: Launch) -> Ollama:
    """An Ollama with the small models and no settings."""
    return launch()


@pytest.fixture
def hasty(launch: Launch) -> Ollama:
    """The same, for a test that waits for half a minute: the time of a simulator goes faster."""
    return launch(STOKER_SIMULATOR="--speed 20")


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty model registry."""
    with model_registry.running() as running:
        yield running
