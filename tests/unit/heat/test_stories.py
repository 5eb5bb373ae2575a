"""What the heart makes of what it sees: one story for each way in which things go."""

import itertools
from dataclasses import replace

import pytest

from stoker_api import wire
from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat import Wanted
from stoker_sidecar.heat.observation import (
    Deed,
    Fault,
    Life,
    Loaded,
    Process,
    Processes,
    PullProgress,
)
from support.stories import (
    ANSWERED,
    DIGEST,
    EMPTY,
    GIB,
    GPU_WANTED,
    GPUS,
    HEAT,
    IN_MEMORY,
    LISTED,
    LOADED,
    OLLAMA,
    OTHER_DIGEST,
    QUIET,
    RUNNER,
    SERVER,
    STORED,
    WANTED,
    Story,
    done,
    failed,
)

GONE = Processes(server=OLLAMA, runner=None, others=())
NEW_RUNNER = Process(pid=30, started=300, life=Life.ALIVE, cpu_seconds=0)


# --- the way to heat ----------------------------------------------------------------------------


def test_a_model_is_pulled_verified_loaded_warmed_and_only_then_hot() -> None:
    story = Story(seen=replace(EMPTY, server=replace(SERVER, stored=None, looked=False)))
    assert story.after(0.5).verdict.state is HeatState.UNREACHABLE

    assert story.after(0.5, server=story.server(looked=True)).verdict.state is HeatState.ABSENT
    assert story.deeds == [Deed.PULL]
    pulling = story.after(0.5, pull=PullProgress(GIB, 2 * GIB, "pulling aaa"))
    assert pulling.verdict.state is HeatState.PULLING
    assert "1.0 GiB of 2.0 GiB" in pulling.verdict.message
    verifying = story.after(0.5, pull=PullProgress(2 * GIB, 2 * GIB, "verifying sha256 digest"))
    assert verifying.verdict.state is HeatState.VERIFYING
    story.after(0.5, done(Deed.PULL), pull=None, server=story.server(looked=False))
    assert story.state == HeatState.VERIFYING

    story.after(0.5, server=SERVER)
    assert story.deeds == [Deed.PULL, Deed.LOAD]
    assert story.after(0.5).verdict.state is HeatState.LOADING
    story.after(0.5, done(Deed.LOAD), server=story.server(loaded=None))
    assert story.state == HeatState.LOADING
    story.after(0.1, server=LISTED, processes=IN_MEMORY.processes)
    assert story.state == HeatState.WARMING
    assert story.deeds == [Deed.PULL, Deed.LOAD, Deed.WARM]
    assert not story.after(0.1, ANSWERED).gate.open
    assert story.after(0.1, ANSWERED).gate.open
    assert story.deeds == [Deed.PULL, Deed.LOAD, Deed.WARM, Deed.WARM]


def test_next_to_a_hot_ollama_it_proves_heat_and_opens_without_loading() -> None:
    story = Story.hot()
    story.passes(60)
    assert Deed.LOAD not in story.deeds


def test_what_was_hot_before_has_to_give_as_many_answers_and_only_short_ones() -> None:
    story = Story(seen=IN_MEMORY)
    story.after(0.5)
    story.after(0.1, ANSWERED)
    story.after(0.1, ANSWERED)
    assert tokens_asked(story) == [(Deed.WARM, 8), (Deed.WARM, 8)]
    story.steps.clear()
    lose_and_load(story)
    story.after(0.1, done(Deed.WARM, first_token_seconds=0.1))
    assert not story.last.gate.open
    assert story.after(0.1, done(Deed.WARM, first_token_seconds=0.1)).gate.open
    assert tokens_asked(story) == [(Deed.WARM, 1), (Deed.WARM, 1)]


def test_how_fast_it_is_after_it_was_lost_is_measured_once_it_is_hot_again() -> None:
    story = Story.hot()
    lose_and_load(story)
    for _ in range(2):
        story.after(0.1, done(Deed.WARM, first_token_seconds=0.1))
    story.steps.clear()
    story.passes(11)
    story.after(0.2, done(Deed.CANARY, first_token_seconds=0.1, tokens_per_second=40))
    story.passes(11)
    assert tokens_asked(story) == [(Deed.CANARY, 8), (Deed.CANARY, 1)]


def test_other_weights_are_warmed_up_like_new_ones() -> None:
    story = Story.hot()
    story.after(0.5, server=story.server(stored=replace(STORED, digest=OTHER_DIGEST)))
    lose_and_load(story, replace(LOADED, digest=OTHER_DIGEST))
    assert tokens_asked(story) == [(Deed.WARM, 8)]


def tokens_asked(story: Story) -> list[tuple[Deed, int]]:
    """The questions so far, and how long the answers may be."""
    actions = [each.action for each in story.steps if each.action]
    return [(each.deed, each.tokens) for each in actions if each.tokens]


def lose_and_load(story: Story, loaded: Loaded = LOADED) -> None:
    """The runner crashes, and another one holds this."""
    story.after(0.5, processes=GONE, server=story.server(loaded=()))
    story.passes(1)
    assert story.deeds[-1] == Deed.LOAD
    back = replace(GONE, runner=NEW_RUNNER)
    story.after(0.5, done(Deed.LOAD), processes=back, server=story.server(loaded=(loaded,)))


def test_good_answers_count_in_a_row_on_the_way_to_heat() -> None:
    story = Story(seen=IN_MEMORY)
    story.after(0.5)
    story.after(0.1, ANSWERED)
    story.after(0.1, failed(Deed.WARM))
    story.after(2, ANSWERED)
    assert not story.last.gate.open
    assert story.after(0.1, ANSWERED).gate.open


def test_traffic_that_is_answered_is_proof_enough() -> None:
    story = Story(seen=IN_MEMORY)
    story.after(0.5)
    for second in (1, 2):
        listed = replace(LOADED, expires_at=f"2318-01-01T00:00:0{second}Z")
        works = story.runner(cpu_seconds=5.0 + second)
        story.after(0.5, server=story.server(loaded=(listed,)), processes=works)
    assert story.last.gate.open


@pytest.mark.p(11)
def test_a_load_is_never_cut_off_by_a_deadline() -> None:
    story = Story()
    story.after(0.5)
    loads = Processes(server=OLLAMA, runner=RUNNER, others=())
    story.after(0.5, processes=loads)
    story.passes(3600, every=5)
    assert story.deeds == [Deed.LOAD]
    assert story.steps[0].action
    assert story.steps[0].action.timeout_seconds is None
    assert "No progress" in story.last.findings[0]


@pytest.mark.p(12)
def test_a_load_that_fails_is_tried_again_ever_more_seldom() -> None:
    story = Story()
    story.after(0.5)
    begun = [story.now]
    while len(begun) < 6:
        story.after(0.1, *([failed(Deed.LOAD)] if story.memory.doing else []))
        if story.last.action:
            begun.append(story.now)
    pauses = [after - before for before, after in itertools.pairwise(begun)]
    assert pauses == pytest.approx([1, 2, 4, 8, 16], abs=0.3)
    assert story.reason == Reason.LOAD_FAILED


@pytest.mark.p(33)
def test_a_full_queue_is_waited_for_and_named() -> None:
    story = Story()
    story.after(0.5)
    story.after(0.5, failed(Deed.LOAD, Fault.BUSY, "server busy"))
    assert story.reason == Reason.QUEUE_FULL
    assert story.deeds == [Deed.LOAD]
    story.passes(2)
    assert story.deeds == [Deed.LOAD, Deed.LOAD]


def test_a_model_that_does_not_fit_is_for_a_person_and_tried_seldom() -> None:
    story = Story()
    story.after(0.5)
    story.after(0.5, failed(Deed.LOAD, Fault.NO_MEMORY, "model requires more system memory"))
    assert story.reason == Reason.DOES_NOT_FIT
    story.passes(240, every=1)
    assert story.deeds == [Deed.LOAD]
    while len(story.deeds) < 2:
        story.after(1)
    assert story.now < 1400


# --- the store ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "reason", "advice"),
    [
        (Fault.NOT_FOUND, Reason.MODEL_NOT_FOUND, "Check `model`"),
        (Fault.REFUSED, Reason.PULL_REFUSED, "Check whether the model is public"),
        (Fault.NO_SPACE, Reason.DISK_FULL, "more room"),
    ],
)
def test_a_pull_that_a_person_must_mend_says_how(fault: Fault, reason: Reason, advice: str) -> None:
    story = Story(seen=replace(EMPTY, server=replace(SERVER, stored=None)))
    story.after(0.5)
    story.after(0.5, failed(Deed.PULL, fault, "Ollama's words"))
    assert story.state == HeatState.BLOCKED
    assert story.reason == reason
    assert "Ollama's words" in story.last.verdict.message
    assert advice in story.last.verdict.message


@pytest.mark.p(35)
@pytest.mark.p(36)
def test_a_pull_that_fails_otherwise_is_tried_again() -> None:
    story = Story(seen=replace(EMPTY, server=replace(SERVER, stored=None)))
    story.after(0.5)
    story.after(
        0.5, failed(Deed.PULL, Fault.OTHER, "digest mismatch, file must be downloaded again")
    )
    assert story.reason == Reason.PULL_FAILED
    story.passes(2)
    assert story.deeds == [Deed.PULL, Deed.PULL]


def test_pulling_is_forbidden_by_its_policy() -> None:
    pod = replace(WANTED.pod, pull_policy=wire.PullPolicy.NEVER)
    story = Story(replace(WANTED, pod=pod), replace(EMPTY, server=replace(SERVER, stored=None)))
    assert story.after(0.5).verdict.reason is Reason.NOT_IN_STORE
    assert story.passes(600, every=5).action is None
    assert not story.deeds


@pytest.mark.p(38)
def test_a_pinned_model_that_is_other_weights_is_pulled_once_and_then_refused() -> None:
    story = Story(replace(WANTED, pod=replace(WANTED.pod, digest=OTHER_DIGEST)))
    story.after(0.5)
    assert story.deeds == [Deed.PULL]
    story.after(0.5, done(Deed.PULL))
    assert story.reason == Reason.DIGEST_MISMATCH
    assert DIGEST in story.last.verdict.message
    assert OTHER_DIGEST in story.last.verdict.message
    story.passes(900, every=5)
    assert story.deeds == [Deed.PULL]


def test_pulling_always_means_before_the_first_load_and_not_under_a_loaded_model() -> None:
    wanted = replace(WANTED, pod=replace(WANTED.pod, pull_policy=wire.PullPolicy.ALWAYS))
    fresh = Story(wanted)
    fresh.after(0.5)
    assert fresh.deeds == [Deed.PULL]
    beside = Story(wanted, IN_MEMORY)
    beside.after(0.5)
    assert beside.deeds == [Deed.WARM]


@pytest.mark.p(38)
def test_a_tag_that_moves_makes_the_loaded_model_the_wrong_one() -> None:
    story = Story.hot()
    moved = replace(STORED, digest=OTHER_DIGEST)
    assert story.after(0.5, server=story.server(stored=moved)).lost_heat
    assert story.reason == Reason.REPLACED
    assert story.deeds == [Deed.LOAD]


@pytest.mark.p(20)
def test_a_model_that_needs_a_newer_ollama_is_not_loaded() -> None:
    story = Story(
        seen=replace(EMPTY, server=replace(SERVER, stored=replace(STORED, requires="0.30.1")))
    )
    assert story.after(0.5).verdict.reason is Reason.OLLAMA_TOO_OLD
    assert not story.deeds


@pytest.mark.p(16)
@pytest.mark.parametrize(
    ("capabilities", "state"),
    [
        (("embedding",), HeatState.COLD),
        (("completion", "vision"), HeatState.COLD),
        (("rerank",), HeatState.BLOCKED),
    ],
)
def test_a_model_must_be_able_to_generate_or_embed(
    capabilities: tuple[str, ...], state: HeatState
) -> None:
    server = replace(SERVER, stored=replace(STORED, capabilities=capabilities))
    assert Story(seen=replace(EMPTY, server=server)).after(0.5).verdict.state is state


def test_a_context_beyond_the_training_is_refused_before_the_load() -> None:
    server = replace(SERVER, stored=replace(STORED, trained_context=2048))
    story = Story(seen=replace(EMPTY, server=server))
    assert story.after(0.5).verdict.reason is Reason.BAD_OPTIONS
    assert "2048" in story.last.verdict.message


# --- heat lost ----------------------------------------------------------------------------------


@pytest.mark.p(31)
def test_a_crash_shuts_the_gate_at_once_and_the_model_is_loaded_again() -> None:
    story = Story.hot()
    lost = story.after(0.01, processes=GONE, server=story.server(loaded=None))
    assert lost.lost_heat
    assert not lost.gate.open
    assert lost.verdict.reason is Reason.RUNNER_GONE
    assert lost.action is None
    assert story.after(0.01, server=LISTED).action is None
    named = story.after(0.3)
    assert named.verdict.reason is Reason.CRASHED
    assert story.deeds == [Deed.LOAD]


def test_a_load_whose_process_is_nowhere_to_be_seen_is_not_repeated_for_ever() -> None:
    story = Story()
    story.after(0.5)
    story.after(0.1, done(Deed.LOAD), server=story.server(loaded=None))
    story.after(0.1, server=LISTED)
    story.after(0.1, ANSWERED)
    story.after(0.1, ANSWERED)
    assert story.last.gate.open
    assert story.deeds.count(Deed.LOAD) == 1


@pytest.mark.p(31)
def test_a_model_that_is_listed_and_has_no_process_has_crashed_also_before_the_sidecar_came() -> (
    None
):
    story = Story(seen=replace(IN_MEMORY, processes=GONE))
    story.after(0.5)
    assert story.deeds == [Deed.LOAD]


def test_a_proof_from_before_its_process_was_seen_is_not_that_of_the_process() -> None:
    story = Story()
    story.after(0.5)
    story.after(0.1, done(Deed.LOAD), server=story.server(loaded=None))
    story.after(0.1, server=LISTED)
    story.after(0.1, ANSWERED)
    story.after(0.1, ANSWERED, processes=IN_MEMORY.processes)
    assert not story.last.gate.open


@pytest.mark.p(10)
def test_an_eviction_names_who_took_the_place() -> None:
    story = Story.hot()
    other = replace(LOADED, name="other:7b", digest=OTHER_DIGEST)
    story.after(0.5, server=story.server(loaded=(other,)), processes=GONE)
    assert story.last.lost_heat
    assert story.reason == Reason.EVICTED
    assert "other:7b" in story.last.verdict.message


@pytest.mark.p(10)
def test_an_eviction_shows_in_the_process_of_what_is_still_being_loaded() -> None:
    story = Story.hot()
    story.after(0.01, processes=replace(GONE, others=(NEW_RUNNER,)), server=story.server(loaded=()))
    story.after(0.5)
    assert story.reason == Reason.EVICTED


@pytest.mark.p(3)
@pytest.mark.parametrize(
    ("left", "reason"), [(1.0, Reason.EXPIRED), (3000.0, Reason.UNLOADED), (None, Reason.UNLOADED)]
)
def test_an_expiry_is_told_from_an_unload(left: float | None, reason: Reason) -> None:
    listed = replace(LOADED, expires_in_seconds=left)
    story = Story.hot(seen=replace(IN_MEMORY, server=replace(SERVER, loaded=(listed,))))
    story.after(0.5, processes=GONE, server=story.server(loaded=()))
    assert story.reason == Reason.RUNNER_GONE
    story.after(0.5)
    assert story.reason == reason


@pytest.mark.p(5)
def test_another_context_shuts_the_gate_and_is_put_right() -> None:
    story = Story.hot()
    listed = replace(LOADED, context_length=2048)
    processes = replace(GONE, runner=NEW_RUNNER)
    story.after(0.5, server=story.server(loaded=(listed,)), processes=processes)
    assert story.last.lost_heat
    assert story.reason == Reason.RELOADED
    assert "2048 instead of 4096" in story.last.verdict.message
    assert story.deeds == [Deed.LOAD]


@pytest.mark.p(5)
def test_a_reload_is_told_from_an_unload_by_the_process_that_takes_the_place() -> None:
    story = Story.hot()
    story.after(0.01, processes=GONE, server=story.server(loaded=()))
    story.after(0.1, processes=replace(GONE, runner=NEW_RUNNER))
    assert story.reason == Reason.RELOADED
    assert story.deeds == [Deed.LOAD]


def test_processes_that_come_into_sight_do_not_void_a_proof() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, processes=None))
    story.after(0.5, processes=IN_MEMORY.processes)
    assert story.last.gate.open
    story.after(0.5, processes=None)
    assert story.last.gate.open
    story.after(0.5, processes=replace(GONE, runner=NEW_RUNNER))
    assert not story.last.gate.open


def test_a_reload_with_the_same_options_has_to_be_proven_anew() -> None:
    story = Story.hot()
    story.after(0.5, processes=replace(GONE, runner=NEW_RUNNER))
    assert not story.last.gate.open
    assert story.state == HeatState.WARMING


def test_a_context_that_our_own_load_did_not_get_is_for_a_person() -> None:
    story = Story()
    story.after(0.5)
    story.after(0.5, done(Deed.LOAD), server=story.server(loaded=None))
    listed = replace(LOADED, context_length=2048)
    server = story.server(loaded=(listed,))
    story.after(0.1, server=server, processes=IN_MEMORY.processes)
    assert story.reason == Reason.CONTEXT_REDUCED
    story.passes(120, every=1)
    assert story.deeds == [Deed.LOAD]


@pytest.mark.p(34)
def test_a_restart_of_ollama_is_named() -> None:
    story = Story.hot()
    story.after(0.1, processes=None, server=story.server(down=True, error="connection refused"))
    assert story.reason == Reason.SERVER_DOWN
    story.after(0.5, server=replace(SERVER, looked=False, loaded=None))
    restarted = replace(GONE, server=replace(OLLAMA, pid=11, started=900))
    story.after(0.5, server=SERVER, processes=restarted)
    assert story.reason == Reason.SERVER_RESTARTED
    assert story.deeds == [Deed.LOAD]


def test_a_model_that_leaves_again_and_again_is_loaded_ever_more_seldom() -> None:
    story = Story.hot()
    loads = 0
    for turn in range(200):
        runner = replace(RUNNER, pid=100 + turn)
        story.after(0.1, processes=GONE, server=story.server(loaded=()))
        while story.last.action is None:
            story.after(0.5)
        loads += 1
        if story.now > 1600:
            break
        story.after(0.1, done(Deed.LOAD), server=story.server(loaded=None))
        story.after(0.1, server=LISTED, processes=replace(GONE, runner=runner))
        story.after(0.1, ANSWERED)
        story.after(0.1, ANSWERED)
        assert story.last.gate.open
    assert loads <= 20


# --- hung or busy -------------------------------------------------------------------------------


@pytest.mark.p(32)
def test_a_stopped_runner_shuts_the_gate_without_any_request() -> None:
    story = Story.hot()
    story.after(0.5, processes=story.runner(life=Life.STOPPED))
    assert story.reason == Reason.RUNNER_PAUSED
    assert story.last.gate.open
    story.passes(1)
    assert story.reason == Reason.RUNNER_STOPPED
    assert not story.last.gate.open
    assert story.deeds == [Deed.KILL]
    story.after(0.1, done(Deed.KILL), processes=GONE)
    assert story.reason == Reason.RECOVERING
    assert story.deeds == [Deed.KILL, Deed.LOAD]


def test_without_hands_a_stopped_runner_is_unloaded() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, can_kill=False, can_restart=False))
    story.after(0.5, processes=story.runner(life=Life.STOPPED))
    story.passes(1)
    assert story.deeds == [Deed.UNLOAD]
    story.after(0.1, done(Deed.UNLOAD))
    story.passes(60)
    assert story.deeds == [Deed.UNLOAD]
    assert "delete the pod" in story.last.gate.message


@pytest.mark.p(30)
def test_an_end_that_does_not_help_is_followed_by_a_restart() -> None:
    story = Story.hot()
    story.after(0.5, processes=story.runner(life=Life.STOPPED))
    story.passes(1)
    story.after(0.1, done(Deed.KILL))
    story.passes(6)
    assert story.deeds == [Deed.KILL, Deed.RESTART]
    story.after(0.1, done(Deed.RESTART))
    story.passes(120)
    assert story.deeds == [Deed.KILL, Deed.RESTART]
    assert "delete the pod" in story.last.gate.message


def test_a_request_in_which_nothing_happens_is_a_dead_lock() -> None:
    story = Story.hot()
    story.passes(2)
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    story.passes(1.5)
    assert story.last.gate.open
    story.passes(1)
    assert story.reason == Reason.DEADLOCKED
    assert story.deeds == [Deed.KILL]


def test_a_client_that_does_not_read_is_told_of_and_is_no_dead_lock() -> None:
    story = Story.hot()
    story.after(0.5, traffic=story.traffic(busy=2, runner_requests=1, untaken=1))
    story.passes(300)
    assert not story.deeds
    assert story.last.gate.open
    assert "A client does not take its answer" in story.last.findings[0]

    story.after(0.5, traffic=story.traffic(untaken=0))
    assert story.last.gate.open
    assert not story.last.findings
    story.passes(3)
    assert story.reason == Reason.DEADLOCKED


def test_a_keep_alive_that_is_over_while_a_client_does_not_read_is_no_reason_to_leave() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, traffic=replace(QUIET, busy=1, untaken=1)))
    over = replace(LOADED, expires_in_seconds=-5)
    story.after(0.5, server=story.server(loaded=(over,)))
    story.passes(20)
    assert story.last.gate.open


def test_a_long_prompt_on_a_cpu_is_no_hang_however_long_it_takes() -> None:
    story = Story.hot()
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    for second in range(400):
        story.after(0.5, processes=story.runner(cpu_seconds=6.0 + second))
        assert story.last.gate.open
    assert story.reason == Reason.SILENT
    assert Deed.CANARY not in story.deeds


def test_reading_the_weights_from_a_slow_disk_is_no_hang() -> None:
    story = Story.hot()
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    for count in range(100):
        story.after(0.5, processes=story.runner(page_reads=count, life=Life.WAITING))
        assert story.last.gate.open


@pytest.mark.p(32)
def test_a_spin_on_a_gpu_is_a_suspicion_at_once_and_a_stall_at_last() -> None:
    seen = replace(IN_MEMORY, gpus=replace(GPUS, busy=True))
    story = Story.hot(GPU_WANTED, seen)
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    story.passes(6)
    assert story.reason == Reason.SILENT
    assert story.last.gate.open
    story.passes(113)
    assert story.last.gate.open
    story.passes(3)
    assert story.reason == Reason.STALLED
    assert not story.last.gate.open
    assert story.deeds == [Deed.KILL]


def test_a_gpu_that_cannot_be_measured_is_no_proof_of_idleness() -> None:
    seen = replace(IN_MEMORY, gpus=replace(GPUS, busy=None, unknown="no library"))
    story = Story.hot(GPU_WANTED, seen)
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    assert story.passes(60).gate.open


def test_bytes_that_come_are_life() -> None:
    story = Story.hot()
    for count in range(200):
        story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1, runner_bytes=count))
        assert story.reason == Reason.HOT
    assert not story.deeds


def test_a_canary_is_sent_only_in_quiet_times() -> None:
    story = Story.hot()
    story.passes(9)
    assert not story.deeds
    story.passes(2)
    assert story.deeds == [Deed.CANARY]
    story.after(0.2, done(Deed.CANARY, first_token_seconds=0.1))
    story.passes(9)
    assert story.deeds == [Deed.CANARY]


def test_what_is_said_of_a_hot_model_does_not_change_with_each_answer() -> None:
    story = Story.hot()
    said = story.memory.verdict.message
    assert "its first token took 150 ms" in said
    for _ in range(5):
        story.passes(11)
        story.after(0.2, done(Deed.CANARY, first_token_seconds=0.9))
    assert story.last.gate.message == said


def test_a_canary_is_sent_soon_when_a_request_hangs_elsewhere() -> None:
    story = Story.hot()
    story.passes(1)
    story.after(0.5, traffic=story.traffic(busy=1))
    story.passes(1.5)
    assert story.deeds == [Deed.CANARY]


def test_no_canary_is_sent_to_queue_behind_clients_that_wait() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, traffic=replace(QUIET, busy=2)))
    for second in range(120):
        story.after(0.5, processes=story.runner(cpu_seconds=6.0 + second))
    assert not story.deeds


def test_a_canary_that_waited_behind_others_proves_nothing() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, traffic=QUIET))
    story.passes(11)
    assert story.deeds == [Deed.CANARY]
    works = 6.0
    story.after(0.5, traffic=story.traffic(busy=1, runner_requests=1))
    for _ in range(30):
        works += 0.5
        story.after(0.5, processes=story.runner(cpu_seconds=works))
    story.after(0.1, failed(Deed.CANARY, Fault.TIMED_OUT, "no answer in 15 s"))
    for _ in range(10):
        works += 0.5
        story.after(0.5, processes=story.runner(cpu_seconds=works))
    assert story.memory.proof.misses == 0
    assert story.last.gate.open


def test_where_processes_are_out_of_sight_canaries_tell_of_a_hang() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, processes=None, traffic=None, can_restart=False))
    story.passes(11)
    for misses in (1, 2):
        assert story.deeds.count(Deed.CANARY) == misses
        story.after(15, failed(Deed.CANARY, Fault.TIMED_OUT, "no answer in 15 s"))
        story.passes(3)
    assert story.steps[-1].gate.open is False
    assert Deed.UNLOAD in story.deeds


@pytest.mark.p(15)
def test_an_answer_of_our_own_is_not_counted_twice() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, processes=None, traffic=None))
    story.passes(11)
    moved = replace(LOADED, expires_at="2318-01-01T00:00:09Z")
    cold = done(Deed.CANARY, load_seconds=0.8)
    assert story.after(1, cold, server=story.server(loaded=(moved,))).lost_heat
    assert not story.after(0.5).gate.open


@pytest.mark.p(31)
def test_where_processes_are_out_of_sight_an_error_tells_of_a_crash() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, processes=None, traffic=None))
    story.passes(11)
    assert story.after(0.5, failed(Deed.CANARY, error="unexpected EOF")).lost_heat


@pytest.mark.p(15)
def test_where_processes_are_out_of_sight_a_slow_answer_tells_of_a_reload() -> None:
    story = Story.hot(seen=replace(IN_MEMORY, processes=None, traffic=None))
    story.passes(11)
    lost = story.after(1, done(Deed.CANARY, load_seconds=0.8))
    assert lost.lost_heat
    assert lost.verdict.state is HeatState.WARMING


@pytest.mark.p(7)
def test_a_load_in_which_nothing_loads_frees_the_queue_and_then_restarts_ollama() -> None:
    other = replace(LOADED, name="other:7b", digest=OTHER_DIGEST)
    processes = replace(GONE, others=(NEW_RUNNER,))
    story = Story(seen=replace(EMPTY, server=replace(SERVER, loaded=(other,)), processes=processes))
    story.after(0.5)
    story.passes(21)
    assert story.reason == Reason.LOAD_STALLED
    assert story.last.action or story.deeds == [Deed.LOAD, Deed.UNLOAD]
    unload = next(each.action for each in story.steps if each.action and each.action.models)
    assert unload.models == ("other:7b",)
    story.after(0.1, done(Deed.UNLOAD))
    story.after(0.1, failed(Deed.LOAD))
    assert Deed.RESTART not in story.deeds


@pytest.mark.p(7)
def test_a_load_that_waits_for_a_working_model_is_no_dead_lock() -> None:
    story = Story()
    story.after(0.5)
    for second in range(200):
        busy = replace(NEW_RUNNER, cpu_seconds=float(second))
        story.after(0.5, processes=replace(GONE, others=(busy,)))
    assert story.state == HeatState.LOADING


@pytest.mark.p(30)
def test_a_model_that_does_not_leave_is_stuck() -> None:
    story = Story.hot()
    leaving = replace(LOADED, expires_in_seconds=-5.0)
    story.after(0.5, server=story.server(loaded=(leaving,)))
    story.passes(12)
    assert Deed.KILL in story.deeds


@pytest.mark.p(13)
def test_a_stopped_server_shuts_the_gate_and_is_restarted() -> None:
    story = Story.hot()
    assert story.seen.processes
    stopped = replace(story.seen.processes, server=replace(OLLAMA, life=Life.STOPPED))
    story.after(0.5, processes=stopped)
    assert story.last.gate.open
    story.passes(1)
    assert story.reason == Reason.SERVER_STOPPED
    assert not story.last.gate.open
    assert story.deeds == [Deed.RESTART]


def test_a_slow_listing_is_no_death_and_a_silent_server_is() -> None:
    story = Story.hot()
    for tenths in range(1, 95):
        story.after(0.1, server=story.server(silent_seconds=tenths / 10))
        assert story.last.gate.open
    assert story.reason == Reason.SERVER_SLOW
    for tenths in range(95, 120):
        story.after(0.1, server=story.server(silent_seconds=tenths / 10))
    assert story.reason == Reason.SERVER_SILENT
    assert Deed.RESTART in story.deeds


def test_restarts_have_a_budget() -> None:
    story = Story.hot()
    for _ in range(10):
        assert story.seen.processes
        stopped = replace(story.seen.processes, server=replace(OLLAMA, life=Life.STOPPED))
        story.after(0.5, processes=stopped)
        story.passes(3)
        story.after(0.5, done(Deed.RESTART), processes=GONE, server=SERVER)
        story.passes(10)
        story.after(0.5, done(Deed.LOAD), processes=IN_MEMORY.processes, server=LISTED)
        for _ in range(5):
            story.after(0.5, ANSWERED)
    assert story.deeds.count(Deed.RESTART) == 3


# --- keep-alive ---------------------------------------------------------------------------------


@pytest.mark.p(6)
@pytest.mark.p(8)
def test_an_endless_keep_alive_is_never_renewed() -> None:
    story = Story.hot()
    for _ in range(3600):
        story.after(0.5, *([done(Deed.CANARY)] if story.memory.doing else []))
    assert set(story.deeds) == {Deed.CANARY}
    assert len(story.deeds) <= 180


@pytest.mark.p(3)
def test_a_keep_alive_that_a_client_shortened_is_renewed_once() -> None:
    story = Story.hot()
    shorter = replace(LOADED, expires_in_seconds=30.0, expires_at="2026-01-01T00:00:00Z")
    story.after(0.5, server=story.server(loaded=(shorter,)))
    assert story.deeds == [Deed.REARM]
    story.after(0.1, done(Deed.REARM))
    story.after(0.1, server=LISTED)
    story.passes(5)
    assert story.deeds == [Deed.REARM]
    assert story.last.gate.open


def test_a_lease_is_renewed_when_half_of_it_is_over() -> None:
    wanted = replace(WANTED, heat=replace(HEAT, keep_alive_seconds=600))
    listed = replace(LOADED, expires_in_seconds=400.0)
    story = Story.hot(wanted, replace(IN_MEMORY, server=replace(SERVER, loaded=(listed,))))
    story.passes(5)
    assert not story.deeds
    listed = replace(LOADED, expires_in_seconds=299.0)
    story.after(0.5, server=story.server(loaded=(listed,)))
    assert story.deeds == [Deed.REARM]


def test_an_expiry_that_our_own_renewal_moved_proves_nothing() -> None:
    story = Story(seen=replace(IN_MEMORY, processes=None, traffic=None))
    story.after(0.5)
    moved = replace(LOADED, expires_at="2318-01-01T00:00:01Z")
    story.after(0.1, done(Deed.REARM), server=story.server(loaded=(moved,)))
    assert story.memory.proof.good == 0


# --- soft reasons -------------------------------------------------------------------------------


def heat(**changes: object) -> wire.HeatConfig:
    return replace(HEAT, **changes)  # type: ignore[arg-type]


SLOW = replace(HEAT.warmup, target_first_token_seconds=0.1)


def test_a_slow_first_token_delays_the_first_opening_only() -> None:
    story = Story(replace(WANTED, heat=heat(warmup=SLOW)), IN_MEMORY)
    story.after(0.5)
    story.after(0.1, ANSWERED)
    story.after(0.1, ANSWERED)
    assert story.reason == Reason.TOO_SLOW
    for _ in range(5):
        story.after(0.5, replace(ANSWERED, first_token_seconds=0.05))
    assert story.last.gate.open
    for _ in range(5):
        story.after(0.5, replace(ANSWERED, first_token_seconds=0.3))
    assert story.last.gate.open
    assert "targetFirstToken" in story.last.findings[0]


def test_a_slow_first_token_shuts_an_open_gate_where_that_is_asked_for() -> None:
    gate = wire.Gate(shut_on=(wire.SoftReason.LATENCY,), treat_as_hot=False)
    wanted = replace(
        WANTED, heat=heat(warmup=replace(SLOW, target_first_token_seconds=0.2), gate=gate)
    )
    story = Story.hot(wanted)
    for _ in range(5):
        story.after(0.5, replace(ANSWERED, first_token_seconds=0.3))
    assert story.reason == Reason.TOO_SLOW
    assert not story.last.gate.open


def gpu_wanted(**changes: object) -> Wanted:
    assert GPU_WANTED.heat.gpu
    gpu = replace(GPU_WANTED.heat.gpu, **changes)  # type: ignore[arg-type]
    return replace(GPU_WANTED, heat=replace(GPU_WANTED.heat, gpu=gpu))


ON_GPU = replace(
    IN_MEMORY,
    gpus=GPUS,
    server=replace(SERVER, loaded=(replace(LOADED, vram_bytes=3 * GIB),)),
)


@pytest.mark.p(25)
def test_a_part_on_the_cpu_delays_the_first_opening_where_an_offload_is_asked_for() -> None:
    server = replace(SERVER, loaded=(replace(LOADED, vram_bytes=2 * GIB),))
    partly = replace(ON_GPU, server=server)
    assert Story.hot(GPU_WANTED, partly).after(0.5).gate.open
    story = Story(gpu_wanted(min_offload_ratio=1.0), partly)
    for _ in range(5):
        story.after(0.5, ANSWERED)
    assert story.reason == Reason.OFFLOAD_TOO_LOW
    assert "67%" in story.last.verdict.message


@pytest.mark.p(21)
@pytest.mark.p(22)
def test_what_nvml_measures_outweighs_what_ollama_says() -> None:
    idle = replace(GPUS.devices[0], used_bytes=GIB)
    lie = replace(ON_GPU, gpus=replace(GPUS, devices=(idle,), runner_bytes=None))
    reported = Story.hot(GPU_WANTED, lie)
    assert "may be running on the CPU" in reported.after(0.5).findings[0]
    story = Story(gpu_wanted(min_offload_ratio=0.9), lie)
    for _ in range(5):
        story.after(0.5, ANSWERED)
    assert story.reason == Reason.OFFLOAD_TOO_LOW


def test_the_first_opening_waits_for_a_measurement_of_what_is_loaded_now() -> None:
    pending = replace(GPUS, pending=True, runner_bytes=None, busy=None)
    story = Story(gpu_wanted(min_offload_ratio=0.9), replace(ON_GPU, gpus=pending))
    for _ in range(3):
        story.after(0.1, ANSWERED)
    assert story.reason == Reason.WARMING_UP
    assert not story.last.findings
    assert story.after(0.1, gpus=GPUS).gate.open


def test_nvml_that_cannot_say_contradicts_nothing() -> None:
    blind = replace(GPUS, devices=(), unknown="no library", runner_bytes=None, busy=None)
    story = Story.hot(gpu_wanted(min_offload_ratio=1.0), replace(ON_GPU, gpus=blind))
    assert not story.after(0.5).findings


@pytest.mark.p(23)
def test_a_lost_gpu_shuts_the_gate_and_the_container_is_made_anew() -> None:
    story = Story.hot(GPU_WANTED, ON_GPU)
    story.after(0.5, gpus=replace(GPUS, lost="GPU-1 has fallen off the bus"))
    assert story.reason == Reason.GPU_LOST
    assert not story.last.gate.open
    assert story.deeds == [Deed.RESTART]


@pytest.mark.parametrize(("on", "opens"), [("Warn", True), ("Block", False)])
def test_a_budget_warns_or_blocks(on: str, opens: bool) -> None:  # noqa: FBT001
    wanted = gpu_wanted(memory_budget_bytes=2 * GIB, on_over_budget=wire.OnOverBudget(on))
    story = Story(wanted, ON_GPU)
    for _ in range(5):
        story.after(0.5, ANSWERED)
    assert story.last.gate.open is opens
    assert "3.0 GiB" in story.last.findings[0]


def test_a_hot_pod_says_once_what_it_has_come_to_lack_and_once_that_it_has_it_again() -> None:
    """By its reason, which the operator watches; the figures go on moving without a word."""
    story = Story(gpu_wanted(memory_budget_bytes=4 * GIB), ON_GPU)
    for _ in range(5):
        story.after(0.5, ANSWERED)
    assert story.reason == Reason.HOT

    story.wanted = gpu_wanted(memory_budget_bytes=2 * GIB)
    lacking = story.after(0.5).gate
    assert (lacking.open, lacking.reason) == (True, Reason.LESS_THAN_ASKED)
    assert "3.0 GiB" in lacking.message
    story.wanted = gpu_wanted(memory_budget_bytes=1 * GIB)
    assert story.after(0.5).gate == lacking

    story.wanted = gpu_wanted(memory_budget_bytes=4 * GIB)
    assert story.after(0.5).gate.reason is Reason.HOT
    assert not any(each.lost_heat for each in story.steps)


# --- whatever the state -------------------------------------------------------------------------


def test_a_planned_end_shuts_the_gate_and_is_no_loss_of_heat() -> None:
    story = Story.hot()
    story.after(0.5, leaving=True)
    assert not story.last.gate.open
    assert story.last.gate.reason is Reason.DRAINING
    story.after(0.5, processes=GONE, server=story.server(loaded=()))
    assert not any(each.lost_heat for each in story.steps)
    assert not story.deeds


def test_a_person_can_open_the_gate_and_the_sidecar_goes_on_working() -> None:
    gate = wire.Gate(shut_on=(), treat_as_hot=True)
    story = Story(replace(WANTED, heat=heat(gate=gate)))
    story.after(0.5)
    assert story.last.gate.open
    assert story.last.gate.reason is Reason.TREATED_AS_HOT
    assert "not in memory" in story.last.gate.message
    assert story.deeds == [Deed.LOAD]


def test_a_model_that_is_not_listed_while_its_process_runs_is_somebody_elses_answer() -> None:
    story = Story.hot()
    story.after(0.5, server=story.server(loaded=()))
    assert story.reason == Reason.WRONG_PROVIDER
    story.after(10, server=story.server(loaded=(), stored=None))
    assert story.reason == Reason.WRONG_PROVIDER
    assert not story.deeds
    story.after(0.5, server=LISTED)
    assert story.state == HeatState.WARMING


def test_an_address_that_something_else_answers_shuts_the_gate() -> None:
    story = Story.hot()
    story.after(0.5, route="10.0.0.1:11434 says that it is 0.1.0")
    assert story.reason == Reason.WRONG_PROVIDER
    assert not story.last.gate.open
