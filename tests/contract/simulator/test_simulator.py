"""What is the simulator's own: its time, its scenarios, its size, and its words for mistakes."""

import hashlib
import itertools
import os
import subprocess
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bed.progress import wait_until
from contract.ollama.api import eventually
from contract.simulator.serving import simulating

KIB_IN_MIB = 1024


def run(*options: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """The simulator, until it ends by itself."""
    return subprocess.run(
        [sys.executable, "-m", "stoker_simulator", *options],
        env={"PATH": os.environ["PATH"], "OLLAMA_HOST": "127.0.0.1:0", **environment},
        capture_output=True,
        text=True,
        timeout=20,
        check=False,
    )


def resident_kib(pid: int) -> int:
    status = Path(f"/proc/{pid}/status").read_text()
    return int(status.partition("VmRSS:")[2].split()[0])


def test_time_that_stands_still_moves_when_it_is_told_to() -> None:
    with simulating("--model", "llama3.2:1b", "--speed", "0") as simulation:
        with ThreadPoolExecutor() as pool:
            load = pool.submit(simulation.load, "llama3.2:1b", keep_alive="1h")
            eventually(simulation.processes.runners, "a runner")
            assert not simulation.ps()
            simulation.advance("5s")
            assert load.result()["done_reason"] == "load"
        expiry = simulation.ps()["llama3.2:1b"].expires_at
        assert simulation.ps()["llama3.2:1b"].expires_at == expiry
        simulation.advance("59m")
        assert simulation.processes.runners()
        simulation.advance("1m")
        assert not simulation.processes.runners()
        assert not simulation.ps()


@pytest.mark.p(7)
def test_a_dead_lock_of_five_hours_takes_no_time() -> None:
    models = ("--model", "tinyllama", "--model", "llama3.2:1b")
    with (
        simulating(*models, "--speed", "0", OLLAMA_MAX_LOADED_MODELS="1") as simulation,
        ThreadPoolExecutor() as pool,
    ):
        load = pool.submit(simulation.load, "tinyllama")
        eventually(lambda: simulation.state()["waiting"], "a request")
        simulation.advance("1m")
        load.result()
        answer = pool.submit(simulation.say, "tinyllama", options={"num_predict": 50})
        eventually(lambda: simulation.state()["runners"][0]["answers"], "an answer")
        waiting = pool.submit(simulation.load, "llama3.2:1b")
        eventually(lambda: simulation.state()["waiting"], "a load that waits")
        # This revives the model that is to leave; nothing that happens makes room any more.
        simulation.load("tinyllama", keep_alive=-1)
        started = time.monotonic()
        simulation.advance("5h")
        assert time.monotonic() - started < 2
        assert answer.result()["eval_count"] == 50
        assert list(simulation.ps()) == ["tinyllama"]
        assert not waiting.done()
        simulation.unload("tinyllama")
        eventually(simulation.processes.runners, "the next runner")
        simulation.advance("1m")
        assert waiting.result()["done_reason"] == "load"


def test_the_same_seed_gives_the_same_answers() -> None:
    said = []
    for seed in ("1", "1", "2"):
        options = ("--model", "tinyllama", "--speed", "100", "--seed", seed)
        with simulating(*options) as simulation:
            answer = simulation.say("tinyllama", options={"temperature": 1, "num_predict": 20})
            said.append(answer["response"])
    assert said[0] == said[1] != said[2]


def test_a_scenario_happens(tmp_path: Path) -> None:
    scenario = tmp_path / "scenario.yaml"
    scenario.write_text(
        "speed: 100\n"
        "models: [tinyllama]\n"
        "steps:\n"
        "- {at: 0s, inject: slow-answers, with: {factor: 2}}\n"
        "- {after: answered, times: 2, inject: runner-crash}\n"
        "- {after: answered, times: 3, clear: slow-answers}\n"
    )
    with simulating("--scenario", str(scenario)) as simulation:
        assert "slow-answers" in simulation.state()["faults"]
        simulation.say("tinyllama")
        assert simulation.processes.runners()
        simulation.say("tinyllama")
        eventually(lambda: not simulation.processes.runners(), "the runner's end")
        simulation.say("tinyllama")
        eventually(lambda: not simulation.state()["faults"], "no fault")


def test_a_model_of_the_shelf_is_pulled_with_progress() -> None:
    with simulating("--speed", "1000") as simulation:
        lines = simulation.post("/api/pull", model="llama3.3:70b").text.splitlines()
        assert len(lines) > 20
        assert simulation.say("llama3.3:70b")["done"]
        # Forty gigabytes that take no place.
        assert simulation.http.get("/api/tags").json()["models"][0]["size"] > 42e9


def test_it_goes_nowhere_for_what_it_does_not_know() -> None:
    with simulating() as simulation:
        answer = simulation.post("/api/pull", model="no-such-model", stream=False)
        assert answer.json() == {"error": "pull model manifest: file does not exist"}


def test_it_starts_quickly_and_stays_small() -> None:
    started = time.monotonic()
    with simulating("--model", "tinyllama", "--speed", "100") as simulation:
        assert time.monotonic() - started < 2, "the bench measures it; this is for a busy machine"
        for _ in range(20):
            simulation.say("tinyllama")
        assert resident_kib(simulation.processes.pid) < 40 * KIB_IN_MIB
        assert resident_kib(simulation.runner()) < 10 * KIB_IN_MIB


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (["--model", "nobody"], "--model nobody is not known by itself; write nobody=4GB, or take"),
        (["--model", "mine=much"], "--model mine=much: `much` is no size; write `24GiB`, `4.9GB`"),
        (["--gpu-memory", "much"], "argument --gpu-memory: `much` is no size; write `24GiB`"),
        (["--scenario", "/no/such.yaml"], "/no/such.yaml: No such file or directory"),
        (["fault"], "invalid choice: 'fault' (choose from 'serve', 'faults')"),
    ],
)
def test_bad_options_are_refused_with_what_exists(options: list[str], sentence: str) -> None:
    done = run(*options)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


def test_a_taken_port_is_said() -> None:
    with simulating() as simulation:
        port = simulation.processes.base_url.rpartition(":")[2]
        done = subprocess.run(
            [sys.executable, "-m", "stoker_simulator"],
            env={"OLLAMA_HOST": f"127.0.0.1:{port}"},
            capture_output=True,
            text=True,
            timeout=20,
            check=False,
        )
    assert done.returncode == 2
    assert f"cannot listen on 127.0.0.1:{port}: " in done.stderr


@pytest.mark.parametrize(
    ("environment", "sentence"),
    [
        (
            {"STOKER_SIMULATOR": "--model 'x"},
            "STOKER_SIMULATOR: `--model 'x`: No closing quotation",
        ),
        (
            {"OLLAMA_MODELS": "/dev/null/x"},
            "OLLAMA_MODELS: cannot write /dev/null/x/blobs: Not a d",
        ),
        ({"OLLAMA_HOST": "here:there"}, "OLLAMA_HOST: `here:there` has no port that is a number"),
    ],
)
def test_a_bad_environment_is_refused_with_its_name(
    environment: dict[str, str], sentence: str
) -> None:
    done = run("--model", "tinyllama", **environment)
    assert done.returncode == 2
    assert sentence in done.stderr
    assert "Traceback" not in done.stderr


@pytest.mark.parametrize(
    ("method", "path", "body", "sentence"),
    [
        ("POST", "/faults/queue-ful", {}, "did you mean `queue-full`?"),
        ("POST", "/faults/slow-answers", {"factor": "x"}, "must be a number, not 'x'"),
        ("POST", "/time", {"advance": "1d"}, 'unknown unit "d" in duration "1d"'),
        ("POST", "/time", {}, '`advance` must be a length of time, as {"advance": "5h"}'),
        ("GET", "/nothing", {}, "there is no GET /nothing; there are: GET /state, GET /faults"),
    ],
)
def test_the_control_port_says_what_is_wrong(
    method: str, path: str, body: dict[str, str], sentence: str
) -> None:
    with simulating() as simulation:
        answer = simulation.control.request(method, path, json=body)
        assert answer.status_code in {400, 404}
        assert sentence in answer.json()["error"]


def test_an_upload_of_any_length_goes_to_the_disk() -> None:
    piece, pieces = bytes(range(256)) * 4096, 100
    digest = hashlib.sha256(piece * pieces).hexdigest()
    with simulating() as simulation:
        url = f"/api/blobs/sha256:{digest}"
        assert simulation.http.head(url).status_code == 404
        sent = simulation.http.post(url, content=itertools.repeat(piece, pieces))
        assert sent.status_code == 201
        assert simulation.http.head(url).status_code == 200
        assert resident_kib(simulation.processes.pid) < 40 * KIB_IN_MIB
        blob = simulation.store / "blobs" / f"sha256-{digest}"
        assert blob.stat().st_size == len(piece) * pieces
        wrong = simulation.http.post(f"/api/blobs/sha256:{'0' * 64}", content=piece)
        assert wrong.status_code == 400
        assert len(list(blob.parent.iterdir())) == 1


def test_options_may_stand_in_the_environment() -> None:
    with simulating("--model", "tinyllama", STOKER_SIMULATOR="--model 'llama3.2'") as simulation:
        assert set(simulation.installed()) == {"tinyllama:latest", "llama3.2:latest"}


def test_it_leaves_nothing_behind() -> None:
    with simulating("--model", "tinyllama", "--speed", "100") as simulation:
        simulation.load("tinyllama")
        pids = {simulation.processes.pid, *simulation.processes.runners()}
    wait_until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in pids), "their end", 10)
