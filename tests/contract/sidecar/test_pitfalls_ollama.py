"""What Ollama does to a model that was hot, or is to be: each pitfall, and what comes of it.

The real sidecar runs beside the simulator, which is made to fail. What the real Ollama can be made
to do is in `test_heat.py`; `docs/pitfalls.md` lists all of them.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.sidecar.pod import MODEL, Pod, changes, in_pod, sample, told
from support.waiting import wait_for


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod with two models, and no GPU."""
    with in_pod(tmp_path, "--model", MODEL, "--model", "tinyllama") as running:
        yield running


@pytest.mark.slow
@pytest.mark.p(7)
@pytest.mark.slow
def test_a_scheduler_that_is_dead_locked_is_freed_or_restarted(pod: Pod) -> None:
    pod.ollama.load("tinyllama", keep_alive=-1)
    pod.ollama.inject("scheduler-deadlock")
    keeper = pod.sidecar()
    stalled = told(keeper, "LoadStalled")
    assert stalled.gate == "shut"
    assert "its scheduler is stuck" in stalled.sentence
    pod.container.start_again()
    keeper.until_ready()
    # The milder step came first, and was not enough.
    for step in ("unload", "restart"):
        assert sample(keeper, "stoker_recoveries_total", step=step, result="done") == 1


@pytest.mark.p(11)
@pytest.mark.p(12)
@pytest.mark.p(14)
def test_a_load_that_takes_long_is_waited_for_and_not_asked_for_twice(pod: Pod) -> None:
    pod.ollama.inject("slow-disk", factor=300)
    keeper = pod.sidecar("--heartbeat-canary-timeout-seconds", "1")
    keeper.until("Loading")
    loading = pod.runner()
    assert MODEL not in pod.ollama.ps()
    assert not keeper.is_ready()
    keeper.until_ready()
    assert pod.runner() == loading
    assert keeper.status()["coldStart"]["loadSeconds"] > 3
    assert keeper.reasons().count("Loading") == 1


@pytest.mark.p(12)
def test_a_load_that_ollama_gives_up_is_tried_again(pod: Pod) -> None:
    pod.ollama.inject("load-stall")
    keeper = pod.sidecar()
    failed = told(keeper, "LoadFailed")
    assert failed.gate == "shut"
    assert "timed out waiting for llama runner to start" in failed.sentence
    pod.ollama.clear("load-stall")
    keeper.until_ready()


@pytest.mark.p(13)
def test_a_slow_list_of_what_is_loaded_leaves_the_gate_open(pod: Pod) -> None:
    keeper = pod.sidecar()
    keeper.until_ready()
    pod.ollama.inject("ps-slow", seconds=600)
    assert told(keeper, "ServerSlow").gate == "open"
    pod.ollama.clear("ps-slow")
    keeper.until_said("ServerSlow", "Hot")
    assert keeper.status()["counters"]["heatLosses"] == 0


@pytest.mark.p(17)
def test_a_loaded_model_gets_no_traffic_before_it_has_answered(pod: Pod) -> None:
    pod.ollama.inject("generation-hang")
    keeper = pod.sidecar()
    assert told(keeper, "WarmingUp").gate == "shut"
    assert MODEL in pod.ollama.ps()
    assert not keeper.is_ready()
    pod.ollama.clear("generation-hang")
    keeper.until_ready()


@pytest.mark.slow
@pytest.mark.p(30)
@pytest.mark.slow
def test_a_model_that_does_not_leave_is_made_to(tmp_path: Path) -> None:
    with in_pod(tmp_path, "--model", MODEL, "--speed", "1") as pod:
        keeper = pod.sidecar()
        keeper.until_ready()
        stuck = pod.runner()
        pod.ollama.inject("stuck-stopping")
        pod.ollama.unload(MODEL)
        assert told(keeper, "StuckLeaving").gate == "shut"
        keeper.until_said("StuckLeaving", "Hot")
        assert pod.runner() != stuck
        assert sample(keeper, "stoker_recoveries_total", step="kill", result="done") == 1


@pytest.mark.p(31)
def test_a_crash_shuts_the_gate_until_the_model_is_back(pod: Pod) -> None:
    keeper = pod.sidecar()
    keeper.until_ready()
    pod.ollama.inject("runner-crash")
    assert told(keeper, "Crashed").gate == "shut"
    keeper.until_said("Crashed", "Hot")
    assert keeper.status()["counters"]["heatLosses"] == 1
    assert sample(keeper, "stoker_heat_losses_total", reason="Crashed") == 1


@pytest.mark.slow
@pytest.mark.p(28)
@pytest.mark.p(31)
def test_a_model_that_crashes_in_every_load_is_loaded_ever_more_seldom(pod: Pod) -> None:
    pod.ollama.inject("crash-loop")
    keeper = pod.sidecar()
    wait_for("a third attempt", lambda: "(attempt 3)" in changes(keeper)[-1].sentence)
    first, second, third = (change for change in changes(keeper) if change.reason == "LoadFailed")
    assert "llama runner process has terminated" in first.sentence
    assert first.gate == second.gate == third.gate == "shut"
    waits = [float(change.sentence.split()[-2]) for change in (second, third)]
    assert waits[1] > waits[0]
    pod.ollama.clear("crash-loop")
    keeper.until_ready()


@pytest.mark.slow
@pytest.mark.p(32)
def test_a_spin_is_a_suspicion_at_once_and_ended_after_the_stall(pod: Pod) -> None:
    keeper = pod.sidecar("--heartbeat-stall-seconds", "8")
    keeper.until_ready()
    spinning = pod.runner()
    pod.ollama.inject("generation-hang")
    with pod.ollama.hanging_up("/api/generate", model=MODEL, prompt="hi"):
        assert told(keeper, "Silent").gate == "open"
        assert told(keeper, "Stalled").gate == "shut"
        pod.ollama.clear("generation-hang")
        keeper.until_said("Hot", "Silent", "Stalled", "Hot")
    assert pod.runner() != spinning
    assert sample(keeper, "stoker_recoveries_total", step="kill", result="done") == 1


@pytest.mark.p(33)
def test_a_full_queue_delays_the_load_and_does_not_cool_what_is_hot(pod: Pod) -> None:
    pod.ollama.inject("queue-full")
    keeper = pod.sidecar()
    assert "maximum pending requests exceeded" in told(keeper, "QueueFull").sentence
    pod.ollama.clear("queue-full")
    keeper.until_ready()
    pod.ollama.inject("queue-full")
    assert pod.ollama.say(MODEL)["done"]
    beats = len(keeper.timeline.read_text().splitlines()) + 3
    wait_for("three heartbeats", lambda: len(keeper.timeline.read_text().splitlines()) > beats)
    assert keeper.is_ready()
    assert keeper.status()["counters"]["heatLosses"] == 0


def test_slow_answers_delay_the_first_opening(pod: Pod) -> None:
    pod.ollama.inject("slow-answers", factor=100)
    keeper = pod.sidecar("--warmup-target-first-token-seconds", "0.1")
    slow = told(keeper, "TooSlow")
    assert slow.gate == "shut"
    assert "warmup.targetFirstToken is 100 ms" in slow.sentence
    pod.ollama.clear("slow-answers")
    keeper.until_ready()


@pytest.mark.parametrize(("shuts", "gate"), [((), True), (("--gate-shut-on", "Latency"), False)])
def test_answers_that_become_slow_shut_the_gate_only_where_asked_for(
    pod: Pod,
    shuts: tuple[str, ...],
    gate: bool,  # noqa: FBT001
) -> None:
    canaries = ("--heartbeat-canary-idle-after-seconds", "1")
    keeper = pod.sidecar("--warmup-target-first-token-seconds", "0.1", *canaries, *shuts)
    keeper.until_ready()
    pod.ollama.inject("slow-answers", factor=100)
    wait_for(
        "the warning",
        lambda: "warmup.targetFirstToken" in str(keeper.status()["warnings"]),
        seconds=30,
    )
    assert keeper.status()["hot"] is gate


def test_somebody_else_at_ollamas_address_shuts_the_gate(pod: Pod) -> None:
    keeper = pod.sidecar()
    keeper.until_ready()
    pod.ollama.inject("wrong-provider")
    stranger = told(keeper, "WrongProvider")
    assert stranger.gate == "shut"
    assert "something else answers in Ollama's place" in stranger.sentence
    pod.ollama.clear("wrong-provider")
    keeper.until_ready()
