"""The command behind `make demo`: what it says, and what it leaves."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.local.machine import Machine, machine
from support.waiting import wait_for

DEMO = Path(__file__).parents[3] / "demo"


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Machine]:
    """A machine without an Ollama; what runs on it can be told by its environment."""
    temporary = tmp_path / "tmp"
    temporary.mkdir()
    with machine(tmp_path, PYTHONPATH=str(DEMO), TMPDIR=str(temporary)) as made:
        yield made


def demo(*words: str) -> list[str]:
    return [sys.executable, "-m", "stoker_demo", *words]


def refusal(on: Machine, *words: str) -> str:
    done = subprocess.run(
        demo(*words), env=on.environment, capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 2
    return done.stderr


def test_without_an_ollama_the_real_one_is_asked_for_in_words(on: Machine) -> None:
    on.environment["PYTHONPATH"] += os.pathsep + str(DEMO.parent / "tests")
    assert refusal(on, "--ollama", "real") == (
        "demo: there is no `ollama` on PATH: install it (https://ollama.com/download), or say where"
        " it is, such as `make demo OLLAMA=/opt/ollama/bin/ollama`\n"
    )
    assert "demo: /nowhere/ollama is no program" in refusal(on, "--ollama", "/nowhere/ollama")


def test_a_page_that_cannot_be_written_is_said_at_once(on: Machine) -> None:
    assert "demo: --report /nowhere/page.html: there is no folder /nowhere" in refusal(
        on, "--report", "/nowhere/page.html"
    )


@pytest.mark.slow  # until both sides run
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_nothing_of_it_stays(on: Machine, number: signal.Signals) -> None:
    with on.output.open("wb") as output:
        process = subprocess.Popen(demo(), env=on.environment, stdout=output, stderr=output)
    try:
        on.until("both sides", lambda: len(on.named("ollama", "runner")) == 4)
        process.send_signal(number)
        assert process.wait(15) != 0
        wait_for("the end of all", lambda: not on.pids(), seconds=5)
    finally:
        process.kill()
        process.wait()
    if number is not signal.SIGKILL:  # after which nobody is left to remove it
        assert list((on.state.parent / "tmp").iterdir()) == []
        assert "Traceback" not in on.said()
