"""The servers that the sidecar's client is tried on: a fresh one for each test, of both kinds."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack

import pytest

from bed import models, ollama
from bed import registry as model_registry
from bed.models import Model
from bed.registry import Registry
from contract.ollama.api import NOTHING, Launch, Ollama, Processes
from contract.simulator import serving as simulator

Serving = Callable[[Mapping[str, Model], Mapping[str, str]], AbstractContextManager[Processes]]

KINDS: dict[str, Serving] = {"real": ollama.serving, "simulator": simulator.serving}


@pytest.fixture(params=KINDS)
def launch(request: pytest.FixtureRequest) -> Iterator[Launch]:
    """Starts servers, of the real kind and of the simulated one, and ends them with the test."""
    small = {"tiny": models.tiny(), "other": models.other(), "embedding": models.embedding()}
    with ExitStack() as stack:

        def start(more: Mapping[str, Model] = NOTHING, **environment: str) -> Ollama:
            serving = KINDS[request.param]({**small, **more}, environment)
            server = Ollama(stack.enter_context(serving))
            stack.callback(server.http.close)
            return server

        yield start


@pytest.fixture
def server(launch: Launch) -> Ollama:
    """An Ollama with the small models and no settings."""
    return launch()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty model registry."""
    with model_registry.running() as running:
        yield running
