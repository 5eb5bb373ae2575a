"""What holds whatever the heart sees."""

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st

from stoker_api.wire import HeatState
from stoker_sidecar.heat import Step
from stoker_sidecar.heat.observation import (
    Deed,
    Fault,
    Life,
    Loaded,
    Observation,
    Outcome,
    Processes,
    Server,
    Traffic,
)
from stoker_sidecar.heat.plan import LATELY_SECONDS, LIMITS
from support.stories import (
    EMPTY,
    GPUS,
    IN_MEMORY,
    LOADED,
    OLLAMA,
    OTHER_DIGEST,
    RUNNER,
    SERVER,
    STORED,
    Story,
    sentence,
)

BETWEEN = st.sampled_from([0.01, 0.1, 0.5, 1.0, 2.0, 15.0, 400.0])

loaded = st.builds(
    replace,
    st.just(LOADED),
    digest=st.sampled_from([LOADED.digest, OTHER_DIGEST]),
    context_length=st.sampled_from([4096, 2048, None]),
    expires_at=st.sampled_from(["a", "b"]),
    expires_in_seconds=st.sampled_from([None, 300.0, 5.0, -3.0]),
)
servers = st.builds(
    replace,
    st.just(SERVER),
    down=st.sampled_from([False, False, False, True]),
    error=st.sampled_from([None, None, "it broke"]),
    silent_seconds=st.sampled_from([0.0, 0.0, 4.0, 30.0]),
    loaded=st.none() | st.lists(loaded, max_size=2).map(tuple),
    looked=st.sampled_from([True, True, False]),
    stored=st.sampled_from([STORED, STORED, None, replace(STORED, digest=OTHER_DIGEST)]),
)
runners = st.builds(
    replace,
    st.just(RUNNER),
    started=st.sampled_from([200, 201]),
    life=st.sampled_from(list(Life)),
    cpu_seconds=st.sampled_from([5.0, 6.0, 9.0]),
)
processes = st.none() | st.builds(
    Processes,
    server=st.just(OLLAMA) | st.none(),
    runner=runners | st.none(),
    others=st.just(()),
)
traffic = st.none() | st.builds(
    Traffic,
    open=st.integers(0, 3),
    busy=st.integers(0, 2),
    bytes_to_clients=st.integers(0, 3),
    runner_bytes=st.none() | st.integers(0, 3),
    runner_requests=st.none() | st.integers(0, 2),
    untaken=st.integers(0, 1),
)
outcomes = st.builds(
    Outcome,
    deed=st.sampled_from(list(Deed)),
    seconds=st.just(0.1),
    fault=st.none() | st.sampled_from(list(Fault)),
    given_up=st.booleans(),
    load_seconds=st.sampled_from([None, 0.001, 3.0]),
    first_token_seconds=st.sampled_from([None, 0.1]),
)
observations = st.builds(
    Observation,
    server=servers,
    processes=processes,
    traffic=traffic,
    gpus=st.none() | st.sampled_from([GPUS, replace(GPUS, lost="gone")]),
    route=st.sampled_from([None, None, None, "somebody else"]),
    can_kill=st.booleans(),
    can_restart=st.booleans(),
    leaving=st.sampled_from([False, False, False, True]),
    outcomes=st.lists(outcomes, max_size=2).map(tuple),
)
histories = st.lists(st.tuples(BETWEEN, observations), max_size=20)


def lived(history: list[tuple[float, Observation]]) -> Story:
    story = Story()
    for seconds, seen in history:
        story.seen = seen
        story.after(seconds, *seen.outcomes)
    return story


def proves(seen: Observation) -> bool:
    """Whether anything in it could be taken for an answer of the model."""
    answered = any(
        outcome.ok and outcome.deed in (Deed.WARM, Deed.CANARY) for outcome in seen.outcomes
    )
    return answered or any(model.expires_at != "a" for model in seen.server.loaded or ())


def is_lost(seen: Observation) -> bool:
    """Whether it proves by itself that the model is not hot."""
    server = seen.server
    right = [
        model
        for model in server.loaded or ()
        if server.stored
        and model.digest == server.stored.digest
        and model.context_length in (None, 4096)
    ]
    gone = seen.processes is not None and seen.processes.server is None
    lost = seen.gpus is not None and seen.gpus.lost is not None
    absent = server.loaded is not None and not right
    return server.down or gone or lost or absent or seen.route is not None


@settings(deadline=None, max_examples=40)
@given(histories.map(lambda history: [each for each in history if not proves(each[1])]))
def test_nothing_but_answers_makes_a_model_hot(history: list[tuple[float, Observation]]) -> None:
    story = lived(history)
    assert not any(each.gate.open for each in story.steps), sentence(story.steps)


@settings(deadline=None, max_examples=40)
@given(histories)
def test_a_proven_loss_shuts_the_gate_in_the_same_step(
    history: list[tuple[float, Observation]],
) -> None:
    story = lived(history)
    for each, (_, seen) in zip(story.steps, history, strict=True):
        if is_lost(seen) or seen.leaving:
            assert not each.gate.open, sentence(story.steps)


@settings(deadline=None, max_examples=40)
@given(histories)
def test_after_a_loss_heat_has_to_be_proven_as_often_as_at_first(
    history: list[tuple[float, Observation]],
) -> None:
    story = lived([*history, (0.5, EMPTY), (0.5, IN_MEMORY)])
    assert not story.last.gate.open
    story.after(0.1, Outcome(Deed.WARM, 0.1))
    assert not story.last.gate.open


@settings(deadline=None, max_examples=40)
@given(histories)
def test_there_is_one_deed_at_a_time(history: list[tuple[float, Observation]]) -> None:
    story = lived(history)
    doing: Deed | None = None
    for each, (_, seen) in zip(story.steps, history, strict=True):
        if any(outcome.deed is doing for outcome in seen.outcomes):
            doing = None
        if each.action is None:
            continue
        if doing in (Deed.LOAD, Deed.PULL):
            assert each.action.deed in LIMITS, sentence(story.steps)
        doing = each.action.deed


@settings(deadline=None, max_examples=40)
@given(histories)
def test_what_ends_processes_has_a_budget(history: list[tuple[float, Observation]]) -> None:
    story = Story()
    done: list[tuple[float, Deed]] = []
    for seconds, seen in history * 4:
        story.seen = seen
        action = story.after(seconds, *seen.outcomes).action
        if action and action.deed in LIMITS:
            done.append((story.now, action.deed))
    for deed, limit in LIMITS.items():
        times = [at for at, each in done if each is deed]
        for start in times:
            assert sum(0 <= at - start < LATELY_SECONDS for at in times) <= limit


@settings(deadline=None, max_examples=40)
@given(histories)
def test_loads_do_not_come_in_storms(history: list[tuple[float, Observation]]) -> None:
    story = Story()
    loads: list[float] = []
    for _, seen in history * 8:
        story.seen = seen
        if (action := story.after(0.05, *seen.outcomes).action) and action.deed is Deed.LOAD:
            loads.append(story.now)
    for start in loads:
        assert sum(0 <= at - start < 30 for at in loads) <= 8, sentence(story.steps)


@settings(deadline=None, max_examples=40)
@given(histories)
def test_every_verdict_says_why_in_a_sentence(history: list[tuple[float, Observation]]) -> None:
    for each in lived(history).steps:
        assert each.verdict.message
        assert len(each.verdict.message) <= 1000
        assert each.gate.message


# --- a world in which everything works ----------------------------------------------------------


def obey(story: Story, step: Step) -> None:
    """Ollama does what it is asked to, in a quarter of a second."""
    seen, deed = story.seen, story.memory.doing and story.memory.doing.deed
    server: Server = replace(SERVER, loaded=seen.server.loaded)
    listed: tuple[Loaded, ...] = ()
    runner = seen.processes.runner if seen.processes else None
    if deed is Deed.LOAD:
        listed, runner = (LOADED,), replace(RUNNER, started=int(story.now * 10))
    elif deed in (Deed.KILL, Deed.UNLOAD, Deed.RESTART):
        runner = None
    elif runner and step.verdict.state != HeatState.COLD:
        listed = seen.server.loaded or ()
    if listed == ():
        runner = None
    processes = Processes(server=OLLAMA, runner=runner, others=())
    outcome = (Outcome(deed, 0.25, first_token_seconds=0.1),) if deed else ()
    unknown = replace(server, loaded=None) if deed is Deed.LOAD else replace(server, loaded=listed)
    world = replace(EMPTY, processes=processes)
    story.after(0.25, *outcome, **vars_of(replace(world, server=unknown)))
    story.after(0.05, **vars_of(replace(world, server=replace(server, loaded=listed))))


def vars_of(seen: Observation) -> dict[str, object]:
    return {
        name: getattr(seen, name) for name in Observation.__dataclass_fields__ if name != "outcomes"
    }


@settings(deadline=None, max_examples=40)
@given(histories)
def test_whatever_has_happened_a_world_that_works_again_makes_it_hot(
    history: list[tuple[float, Observation]],
) -> None:
    story = lived(history)
    healed = story.now
    while not (story.steps and story.last.gate.open and story.last.verdict.is_hot):
        assert story.now - healed < 700, sentence(story.steps[-40:])
        obey(story, story.last if story.steps else story.after(0.1))
