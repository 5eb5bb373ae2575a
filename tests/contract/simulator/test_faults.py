"""Every fault, as a client and a look at the processes see it."""

import json
import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from pathlib import Path

import httpx
import pytest

from bed import models, registry
from contract.ollama.api import eventually
from contract.simulator.serving import Simulation, simulating
from nvml import state
from stoker_simulator import nvml_faults

GIB = 1024**3
# Long enough for an answer, short enough to wait for in vain.
HANG_SECONDS = 0.5


@pytest.fixture
def nvml(tmp_path: Path) -> Path:
    return tmp_path / "nvml.json"


@pytest.fixture
def simulation(nvml: Path) -> Iterator[Simulation]:
    """A machine with a GPU and some models, a hundred times as fast as real."""
    models = ("--model", "llama3.2:1b", "--model", "tinyllama", "--model", "llama3.2")
    options = ("--gpu-memory", "20GiB", "--speed", "100", "--nvml-state", str(nvml))
    with simulating(*models, *options) as running:
        yield running


def hangs(simulation: Simulation, **body: object) -> bool:
    """Whether this gets no answer."""
    try:
        simulation.http.post("/api/generate", json=body, timeout=HANG_SECONDS)
    except httpx.ReadTimeout:
        return True
    return False


def used_of_gpu(nvml: Path) -> int:
    """What the driver says is taken of the GPU, by whomever."""
    (device,) = json.loads(nvml.read_text())["devices"]
    return int(device["memory"]["used"])


def on_gpu(nvml: Path) -> int:
    """What all processes have in the GPU's memory, by its driver."""
    (device,) = json.loads(nvml.read_text())["devices"]
    return sum(process["used"] for process in device["processes"])


def pull(simulation: Simulation) -> list[dict[str, object]]:
    answer = simulation.post("/api/pull", model="phi3:mini")
    assert answer.status_code == 200
    return [json.loads(line) for line in answer.text.splitlines()]


def test_without_a_fault_the_driver_has_what_ollama_says(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert loaded.size_vram == loaded.size == on_gpu(nvml)
    simulation.unload("llama3.2")
    eventually(lambda: on_gpu(nvml) == 0, "an empty GPU")


@pytest.mark.p(7)
def test_a_scheduler_deadlock_blocks_loads_and_nothing_else(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    simulation.inject("scheduler-deadlock")
    assert hangs(simulation, model="tinyllama")
    assert simulation.say("llama3.2")["done"]
    assert simulation.installed()


@pytest.mark.p(12)
def test_a_slow_disk_makes_loads_slow(simulation: Simulation) -> None:
    simulation.inject("slow-disk", factor=50)
    assert simulation.say("tinyllama")["load_duration"] / 1e9 > 50 * 0.6


@pytest.mark.p(12)
def test_a_load_that_stalls_is_given_up_after_the_load_timeout(simulation: Simulation) -> None:
    simulation.inject("load-stall")
    answer = simulation.post("/api/generate", model="tinyllama")
    assert answer.status_code == 500
    assert "timed out waiting for llama runner to start" in answer.json()["error"]
    assert not simulation.processes.runners()


@pytest.mark.p(13)
def test_a_slow_list_of_processes_is_late(simulation: Simulation) -> None:
    simulation.inject("ps-slow", seconds=1000)
    with pytest.raises(httpx.ReadTimeout):
        simulation.http.get("/api/ps", timeout=HANG_SECONDS)
    assert simulation.http.get("/api/version").status_code == 200


@pytest.mark.p(21)
def test_ollama_may_say_that_all_is_in_the_gpu_when_it_is_not(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.inject("partial-offload", layers=7)
    simulation.inject("size-vram-lie")
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert loaded.size_vram == loaded.size
    assert 0 < on_gpu(nvml) < loaded.size / 3


@pytest.mark.p(21)
def test_sizes_may_be_those_of_the_file(simulation: Simulation) -> None:
    simulation.inject("size-from-file")
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert loaded.size == loaded.size_vram == 2_019_000_000


@pytest.mark.p(22)
def test_a_silent_fallback_to_the_cpu_is_seen_by_the_driver_alone(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.inject("cpu-fallback")
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert loaded.size_vram == loaded.size
    assert on_gpu(nvml) == 0


@pytest.mark.p(23)
def test_a_lost_gpu_ends_its_runner_at_the_next_use_and_later_loads_go_to_the_cpu(
    simulation: Simulation,
) -> None:
    simulation.load("llama3.2")
    lost = simulation.runner()
    simulation.inject("gpu-lost")
    assert simulation.load("llama3.2")["done_reason"] == "load"
    assert simulation.runner() == lost
    answer = simulation.post("/api/generate", model="llama3.2", prompt="hi", stream=False)
    assert answer.status_code == 500
    assert "model runner has unexpectedly stopped" in answer.json()["error"]
    assert simulation.say("llama3.2")["done"]
    assert simulation.runner() != lost
    assert simulation.state()["runners"][0]["real_gpu_bytes"] == 0


@pytest.mark.p(23)
def test_a_gpu_that_is_lost_ends_the_answer_that_is_being_given(simulation: Simulation) -> None:
    simulation.inject("slow-answers", factor=100)
    with simulation.talking("llama3.2") as lines:
        next(lines)
        simulation.inject("gpu-lost")
        *_, last = lines
    assert last["error"].endswith("running the model: CUDA error: unspecified launch failure")


@pytest.mark.p(23)
def test_a_gpu_that_is_revoked_serves_what_runs_and_no_later_load(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.load("llama3.2")
    runner = simulation.runner()
    simulation.inject("gpu-revoked")
    assert simulation.say("llama3.2")["done"]
    assert simulation.runner() == runner
    assert on_gpu(nvml)
    simulation.unload("llama3.2")
    simulation.load("llama3.2")
    assert simulation.ps()["llama3.2"].size_vram
    eventually(lambda: on_gpu(nvml) == 0, "an empty GPU")


@pytest.mark.p(23)
def test_a_fault_of_the_driver_that_there_is_not_is_refused_with_those_that_there_are(
    simulation: Simulation,
) -> None:
    refusals = {
        "hung": "NVML has no fault `hung`; did you mean `hang`?",
        "x": "NVML has no fault `x`; there are: no-driver, gpu-lost, unknown-error,",
        "hang:GPU-1": "`hang:GPU-1`: after the colon stands a function, as nvmlDeviceGetMemory",
    }
    for fault, sentence in refusals.items():
        answer = simulation.control.post("/faults/nvml", json={"fault": fault})
        assert answer.status_code == 400
        assert answer.json()["error"].startswith(sentence)
    assert set(nvml_faults.NAMES) == set(state.FAULTS)


@pytest.mark.p(25)
def test_a_partial_offload_puts_some_layers_into_the_gpu(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.inject("partial-offload", layers=20)
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert loaded.size_vram == on_gpu(nvml)
    assert loaded.size_vram / loaded.size == pytest.approx(20 / 29, abs=0.01)


@pytest.mark.p(26)
def test_memory_may_stay_taken_when_a_runner_has_ended(simulation: Simulation, nvml: Path) -> None:
    simulation.inject("vram-leak")
    simulation.load("llama3.2")
    size = simulation.ps()["llama3.2"].size
    simulation.unload("llama3.2")
    eventually(lambda: on_gpu(nvml) == 0, "the end of the process")
    # The process is gone a moment before what it left behind is counted.
    eventually(lambda: used_of_gpu(nvml) == size, "memory that stays taken")


@pytest.mark.p(29)
def test_another_program_in_the_gpu_leaves_less_for_models(
    simulation: Simulation, nvml: Path
) -> None:
    simulation.inject("gpu-memory-taken", bytes=19 * GIB)
    simulation.load("llama3.2")
    loaded = simulation.ps()["llama3.2"]
    assert 0 < loaded.size_vram < loaded.size
    assert used_of_gpu(nvml) == 19 * GIB + loaded.size_vram


@pytest.mark.p(30)
def test_a_model_may_be_stuck_when_it_is_to_leave(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    runner = simulation.runner()
    simulation.inject("stuck-stopping")
    assert simulation.unload("llama3.2")["done_reason"] == "unload"
    now = datetime.fromisoformat(simulation.state()["now"])
    assert simulation.ps()["llama3.2"].expires_at <= now
    assert hangs(simulation, model="tinyllama")
    assert simulation.runner() == runner
    simulation.clear("stuck-stopping")
    assert simulation.load("tinyllama")["done_reason"] == "load"


@pytest.mark.p(31)
def test_a_crash_kills_the_runners_once(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    simulation.inject("runner-crash")
    eventually(lambda: not simulation.processes.runners(), "the runner's end")
    assert list(simulation.ps()) == ["llama3.2"]
    assert simulation.say("llama3.2")["done"]
    assert simulation.state()["faults"] == {}


@pytest.mark.p(31)
def test_runners_may_crash_whenever_they_load(simulation: Simulation) -> None:
    simulation.inject("crash-loop")
    for _ in range(2):
        answer = simulation.post("/api/generate", model="llama3.2")
        assert answer.status_code == 500
        assert "llama runner process has terminated" in answer.json()["error"]
    simulation.clear("crash-loop")
    assert simulation.say("llama3.2")["done"]


@pytest.mark.p(32)
def test_a_hung_generation_keeps_its_runner_busy_and_healthy(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    simulation.inject("generation-hang")
    runner = simulation.runner()
    with ThreadPoolExecutor() as pool:
        answer = pool.submit(simulation.say, "llama3.2")
        before = cpu_ticks(runner)
        eventually(lambda: cpu_ticks(runner) > before + 10, "a busy runner")
        assert simulation.load("llama3.2")["done_reason"] == "load"
        assert not answer.done()
        simulation.clear("generation-hang")
        assert answer.result()["done"]


@pytest.mark.p(33)
def test_a_full_queue_refuses_loads_and_no_others(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    simulation.inject("queue-full")
    answer = simulation.post("/api/generate", model="tinyllama")
    assert answer.status_code == 503
    assert "maximum pending requests exceeded" in answer.json()["error"]
    assert simulation.say("llama3.2")["done"]


@pytest.mark.p(35)
def test_a_download_may_stall(simulation: Simulation) -> None:
    simulation.inject("pull-stall")
    with ThreadPoolExecutor() as pool:
        pulled = pool.submit(pull, simulation)
        with pytest.raises(TimeoutError):
            pulled.result(HANG_SECONDS)
        simulation.clear("pull-stall")
        assert pulled.result()[-1] == {"status": "success"}
    assert simulation.load("phi3:mini")["done_reason"] == "load"


@pytest.mark.parametrize(
    ("fault", "complaint"),
    [
        pytest.param("pull-error", "max retries exceeded: EOF", marks=pytest.mark.p(35)),
        pytest.param("wrong-digest", "digest mismatch, file must be", marks=pytest.mark.p(36)),
        pytest.param("disk-full", "no space left on device", marks=pytest.mark.p(39)),
    ],
)
def test_a_pull_may_fail_in_a_good_answer(
    simulation: Simulation, fault: str, complaint: str
) -> None:
    simulation.inject(fault)
    assert complaint in str(pull(simulation)[-1]["error"])
    simulation.clear(fault)
    assert pull(simulation)[-1] == {"status": "success"}


def test_a_context_may_shrink_until_the_model_fits() -> None:
    options = ("--model", "llama3.2", "--gpu-memory", "24GiB", "--speed", "100")
    with simulating(*options) as simulation:
        simulation.inject("gpu-memory-taken", bytes=20 * GIB)
        simulation.load("llama3.2")
        before = simulation.ps()["llama3.2"]
        simulation.unload("llama3.2")
        eventually(lambda: not simulation.ps(), "an empty list")
        simulation.inject("context-reduced")
        simulation.load("llama3.2")
        after = simulation.ps()["llama3.2"]
    assert (before.context_length, after.context_length) == (32_768, 4096)
    assert before.size_vram < before.size
    assert after.size_vram == after.size


def test_answers_may_be_slow(simulation: Simulation) -> None:
    usual = simulation.say("llama3.2", options={"num_predict": 100})["eval_duration"]
    simulation.inject("slow-answers", factor=20)
    slow = simulation.say("llama3.2", options={"num_predict": 100})["eval_duration"]
    assert slow > 5 * usual


def test_somebody_else_may_answer(simulation: Simulation) -> None:
    simulation.load("llama3.2")
    listed, loaded = simulation.installed(), simulation.ps()
    simulation.inject("wrong-provider", model="gpt-remote", server="gateway")
    said = simulation.say("a-model-that-nobody-has")
    assert (said["model"], said["done"]) == ("gpt-remote", True)
    with simulation.talking("llama3.2") as lines:
        assert len(list(lines)) > 1
    root = simulation.http.get("/")
    assert (root.text, root.headers["server"]) == ("Ollama is running", "gateway")
    assert simulation.http.get("/api/version").json() == {"version": "0.5.7"}
    assert list(simulation.installed()) == ["gpt-remote"]
    assert not simulation.installed().items() & listed.items()
    assert simulation.ps() == {}
    chat = simulation.post("/v1/chat/completions", model="x", messages=[], stream=True)
    assert chat.headers["content-type"] == "text/event-stream"
    assert chat.text.endswith("data: [DONE]\n\n")
    assert simulation.post("/api/show", model="llama3.2").status_code == 404
    simulation.clear("wrong-provider")
    assert (simulation.installed(), simulation.ps()) == (listed, loaded)


@pytest.mark.p(36)
def test_wrong_bytes_from_a_registry_are_thrown_away(simulation: Simulation) -> None:
    with registry.running() as source:
        name = source.put("pulled", models.unseen())
        simulation.inject("wrong-digest")
        answer = simulation.post("/api/pull", model=name, insecure=True)
        error = json.loads(answer.text.splitlines()[-1])["error"]
        want, got = re.findall("sha256:[0-9a-f]{64}", error)
        assert want != got
        simulation.clear("wrong-digest")
        answer = simulation.post("/api/pull", model=name, insecure=True)
        assert json.loads(answer.text.splitlines()[-1]) == {"status": "success"}


def cpu_ticks(pid: int) -> int:
    """The processor time that a process has had."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])
