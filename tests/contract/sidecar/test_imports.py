"""What a sidecar loads: each module stays in the memory of every pod for as long as it lives."""

import json
import subprocess
import sys

import pytest

LOAD = """
import json, sys
import stoker_api.logs, stoker_sidecar.app, stoker_sidecar.flags
print(json.dumps(list(sys.modules)))
"""


@pytest.fixture(scope="module")
def loaded() -> set[str]:
    """The modules that a sidecar without GPUs has loaded."""
    argv = [sys.executable, "-c", LOAD]
    said = subprocess.run(argv, check=True, capture_output=True, text=True, timeout=60)
    return set(json.loads(said.stdout))


@pytest.mark.parametrize("name", ["pynvml", "httpx", "pydantic", "multiprocessing", "sqlite3"])
def test_what_a_sidecar_without_gpus_does_not_need_is_not_loaded(
    loaded: set[str], name: str
) -> None:
    assert "asyncio" in loaded
    assert name not in loaded
