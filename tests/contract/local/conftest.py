"""What tests of `stoker up` use."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.local.machine import Machine, machine


@pytest.fixture
def up(tmp_path: Path) -> Iterator[Machine]:
    """A `stoker` with a state folder of its own; whatever it leaves is ended with the test."""
    with machine(tmp_path) as made:
        yield made
