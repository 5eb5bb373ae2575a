"""The page of the very program, before it has anything to show."""

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

STOKER = str(Path(sys.executable).with_name("stoker"))
SECONDS = 30
NOBODY = "http://127.0.0.1:1"


@pytest.fixture
def kubeconfig(tmp_path: Path) -> str:
    """The way to an API server that is not there."""
    named = {"name": "it"}
    config = {
        "clusters": [named | {"cluster": {"server": NOBODY}}],
        "users": [named | {"user": {}}],
        "contexts": [named | {"context": {"cluster": "it", "user": "it"}}],
        "current-context": "it",
    }
    file = tmp_path / "kubeconfig"
    file.write_text(json.dumps(config))
    return f"--kubeconfig={file}"


@pytest.fixture
def lines(kubeconfig: str) -> Iterator[Iterator[dict[str, str]]]:
    """What an operator with a page logs, while it runs."""
    command = [STOKER, "operator", kubeconfig, "--listen=127.0.0.1:0", "--page=127.0.0.1:0"]
    with subprocess.Popen([*command, "--log-format=json"], stderr=subprocess.PIPE) as process:
        try:
            assert process.stderr
            yield map(json.loads, process.stderr)
        finally:
            process.terminate()


def test_it_says_why_it_has_not_begun(lines: Iterator[dict[str, str]]) -> None:
    url = next(line["url"] for line in lines if "url" in line)
    assert next(line for line in lines if line["phrase"] == "cannot begin")
    with httpx.stream("GET", f"{url}events", timeout=SECONDS, trust_env=False) as answer:
        told = next(line for line in answer.iter_lines() if line.startswith("data: "))
    assert f"has not begun yet: the API server at {NOBODY} does not answer" in told


def test_a_port_that_is_taken_is_named(kubeconfig: str, lines: Iterator[dict[str, str]]) -> None:
    taken = next(line["url"] for line in lines if "url" in line).removeprefix("http://").strip("/")
    command = [STOKER, "operator", kubeconfig, "--listen=127.0.0.1:0", f"--page={taken}"]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert done.returncode == 1
    assert f"cannot listen at {taken}: Address already in use\n" in done.stderr


def test_a_place_that_is_none_is_refused() -> None:
    done = subprocess.run(
        [STOKER, "operator", "--page=8081"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1
    assert done.stderr == "--page: '8081' is no ADDRESS:PORT, such as 127.0.0.1:8080\n"
