"""`stoker-sidecar` as a process: what it prints, how it ends."""

import json
import os
import subprocess
import sys
from pathlib import Path

import httpx
import pytest

from support.sidecars import sidecar

NOBODY = "http://127.0.0.1:9"
"""Where no Ollama is."""


def command(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "stoker_sidecar", *arguments],
        env={"PATH": os.environ["PATH"]},
        input=given,
        capture_output=True,
        text=True,
        timeout=30,
        check=False,
    )


def test_it_tells_its_version() -> None:
    done = command("version")
    assert done.returncode == 0
    assert done.stdout.strip().replace(".", "").isdigit()


@pytest.mark.parametrize("arguments", [("--help",), ("run", "--help"), ("replay", "--help")])
def test_help_is_help(arguments: tuple[str, ...]) -> None:
    done = command(*arguments)
    assert done.returncode == 0
    assert done.stdout.startswith("usage: stoker-sidecar")
    assert max(map(len, done.stdout.splitlines())) <= 100


def test_a_wrong_command_line_is_told_in_two_lines_and_its_own_status() -> None:
    done = command("run", "--model", "phi3:mini", "--gpus", "all")
    assert done.returncode == 2
    assert done.stderr.splitlines() == [
        "stoker-sidecar run: argument --gpus: 'all' is no number",
        "All that can be said: stoker-sidecar run --help",
    ]


def test_an_address_to_listen_on_that_is_none_is_a_wrong_command_line() -> None:
    done = command("run", "--model", "phi3:mini", "--listen", "9464")
    assert done.returncode == 2
    assert "write HOST:PORT, as in 127.0.0.1:9464" in done.stderr


def test_a_port_that_is_taken_is_told(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOBODY, "--model", "phi3:mini") as first:
        where = f"127.0.0.1:{first.http.base_url.port}"
        done = command("run", "--model", "phi3:mini", "--ollama", NOBODY, "--listen", where)
    assert done.returncode == 1
    assert done.stderr == (
        f"stoker-sidecar: cannot listen on {where} (Address already in use): choose another"
        " address with --listen, or end what uses it\n"
    )


def test_a_heat_file_that_is_not_there_is_told() -> None:
    done = command("run", "--model", "phi3:mini", "--heat-file", "/nowhere/heat.json")
    assert done.returncode == 1
    assert "/nowhere/heat.json cannot be read (No such file or directory)" in done.stderr
    assert "leave the file out to use the defaults" in done.stderr


def test_a_bad_heat_file_is_told_with_the_place(tmp_path: Path) -> None:
    file = tmp_path / "heat.json"
    file.write_text(json.dumps({"version": 1}))
    done = command("run", "--model", "phi3:mini", "--heat-file", str(file))
    assert done.returncode == 1
    assert done.stderr.startswith(f"stoker-sidecar: {file}: ")


def test_a_record_that_cannot_be_written_is_told() -> None:
    done = command("run", "--model", "phi3:mini", "--record", "/nowhere/timeline.jsonl")
    assert done.returncode == 1
    assert done.stderr == (
        "stoker-sidecar: /nowhere/timeline.jsonl cannot be written: No such file or directory\n"
    )


NO_TIMELINES = {
    "no JSON": ("{\n", "line 1: not JSON: "),
    "another JSON": ("[]\n", "line 1: must be an object"),
    "half of it": ('{"at": 1}\n', "line 1: the key 'seen' is missing"),
    "another document": ('{"at": 1, "seen": {}}\n', "line 1: seen: "),
}


@pytest.mark.parametrize(("text", "said"), NO_TIMELINES.values(), ids=NO_TIMELINES)
def test_what_is_no_timeline_cannot_be_replayed(text: str, said: str) -> None:
    done = command("replay", "-", given=text)
    assert done.returncode == 1
    assert done.stderr.startswith(f"stoker-sidecar: {said}")


def test_a_file_that_is_not_there_cannot_be_replayed() -> None:
    done = command("replay", "/nowhere")
    assert done.returncode == 1
    assert done.stderr == "stoker-sidecar: /nowhere cannot be read: No such file or directory\n"


def test_without_an_ollama_it_says_so_and_waits(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOBODY, "--model", "phi3:mini") as keeper:
        status = keeper.until("ServerDown")
        assert status["state"] == "Unreachable"
        ready = keeper.http.get("/readyz")
        assert ready.status_code == 503
        assert ready.text.startswith("ServerDown: Ollama is not running")
        keeper.process.terminate()
        assert keeper.process.wait(timeout=30) == 0
        assert "sidecar ends" in keeper.log.read_text()


def test_a_drain_outside_a_pod_changes_nothing_and_harms_nothing(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOBODY, "--model", "phi3:mini") as keeper:
        for _ in range(3):
            assert "end the sidecar with SIGTERM" in keeper.http.get("/drain").text
        assert "error" not in keeper.log.read_text()


def test_what_was_recorded_is_explained_in_order(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOBODY, "--model", "phi3:mini") as keeper:
        keeper.until("ServerDown")
        keeper.stop()
        done = command("replay", str(keeper.timeline))
    assert done.returncode == 0
    assert "gate shut  Unreachable/ServerDown: Ollama is not running" in done.stdout


def test_nothing_but_what_is_there_is_answered(tmp_path: Path) -> None:
    with sidecar(tmp_path, NOBODY, "--model", "phi3:mini") as keeper:
        nothing = keeper.http.get("/nothing")
        assert nothing.status_code == httpx.codes.NOT_FOUND
        assert "/drain /heat /livez /metrics /readyz /status" in nothing.text
        assert keeper.http.post("/drain").status_code == httpx.codes.METHOD_NOT_ALLOWED
