"""What contract tests of several kinds use. How servers start is each folder's own: `launch`."""

from collections.abc import Iterator

import pytest

from bed import registry as model_registry
from bed.registry import Registry
from contract.ollama.api import Launch, Ollama


@pytest.fixture
def server(launch: Launch) -> Ollama:
    """An Ollama with the small models and no settings."""
    return launch()


@pytest.fixture
def registry() -> Iterator[Registry]:
    """An empty model registry."""
    with model_registry.running() as running:
        yield running
