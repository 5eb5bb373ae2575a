"""The servers that the sidecar is tried on: a fresh one for each test, of both kinds."""

from collections.abc import Iterator

import pytest

from contract.ollama.api import Launch
from contract.ollama.launching import KINDS, launching


@pytest.fixture(params=KINDS)
def launch(request: pytest.FixtureRequest) -> Iterator[Launch]:
    """Starts servers, of the real kind and of the simulated one, and ends them with the test."""
    with launching(request.param, []) as start:
        yield start
