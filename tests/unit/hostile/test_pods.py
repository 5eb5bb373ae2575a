"""Whatever pods and their sidecars say, the status is valid, and every sentence in it is plain."""

from collections.abc import Iterator
from dataclasses import replace
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st

from stoker_api import wire
from stoker_api.reasons import Reason
from stoker_api.status import Status
from stoker_operator.observed import Observed, Problem, Seen, observed
from support.manifests import Json, resource
from support.pods_seen import NOW, pod, sidecar
from unit.hostile.junk import NASTY, calm, objects, odd, texts, values

LONGEST = 5500
"""Characters of a notice, little more than the longest word here: its writer cuts it."""

WANTED = resource(
    {"gpu": {"memoryBudget": "8Gi"}, "routing": {"apis": ["ollama", "openai"]}}, generation=1
)
MODEL = wire.ModelFigures("phi3:mini", "sha256:0", 1, None, None, None)

reasons = st.one_of(st.sampled_from([reason.value for reason in Reason]), texts)
times = st.one_of(st.just("2026-01-01T11:59:00Z"), texts)
conditions = objects(
    type=st.sampled_from([wire.HOT_CONDITION, "Ready", "PodScheduled"]),
    status=st.sampled_from(["True", "False"]),
    reason=reasons,
    message=texts,
    lastTransitionTime=times,
)
containers = objects(
    name=texts,
    image=texts,
    state=objects(waiting=objects(reason=st.just("ImagePullBackOff"), message=texts)),
    lastState=objects(terminated=objects(reason=texts, exitCode=st.integers())),
)
statuses = objects(
    conditions=st.lists(odd(conditions), max_size=4),
    phase=texts,
    reason=texts,
    message=texts,
    podIP=texts,
    containerStatuses=st.lists(odd(containers), max_size=2),
    initContainerStatuses=st.lists(odd(containers), max_size=2),
)
seconds = st.one_of(st.none(), st.floats())
counts = st.integers(-(2**63) + 1, 2**63 - 1)
words = st.one_of(
    st.text(max_size=9), st.sampled_from([word for word in NASTY if word != "\ud800"])
)
"""What can be text at all: the rest is refused before (test_documents.py)."""

told = st.builds(
    replace,
    st.just(sidecar()),
    reason=words,
    message=words,
    model=st.none() | st.builds(wire.ModelFigures, words, words, counts, words, words, counts),
    residency=st.none() | st.builds(wire.Residency, counts, counts, words),
    gpus=st.builds(wire.GpuFigures, words, words, counts, counts, seconds, seconds, seconds).map(
        lambda gpu: (gpu,)
    ),
    latency=st.builds(wire.Latency, seconds, seconds, seconds),
    cold_start=st.builds(wire.ColdStart, seconds, seconds, seconds, seconds),
    routes=st.builds(wire.Route, st.sampled_from(list(wire.Api)), st.booleans(), words, words).map(
        lambda route: (route,)
    ),
    warnings=st.lists(words, max_size=2).map(tuple),
)
"""A sidecar that keeps to the contract, and to nothing else."""


def texts_in(value: Any) -> Iterator[str]:
    """Every text in a JSON document."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_in(each)


def assert_is_plain(found: Observed) -> None:
    status = found.status.as_json()
    assert Status.model_validate(status) == found.status
    for text in texts_in(status):
        assert text.isprintable(), text
    for notice in found.events:
        assert notice.message.isprintable(), notice
        assert len(notice.message) < LONGEST
        assert notice.reason.isprintable(), notice


@calm
@given(odd(statuses), odd(statuses))
def test_what_is_written_into_a_pod_makes_a_valid_status(one: Any, other: Any) -> None:
    metadata = {"name": "phi3-a", "creationTimestamp": "2026-01-01T11:58:00Z"}
    before = Status()
    for status in (one, other):
        seen = Seen(pods=({"metadata": metadata, "spec": {}, "status": status},))
        found = observed(WANTED, before, seen, NOW)
        assert_is_plain(found)
        before = found.status


@calm
@given(told, told, reasons, texts)
@example(sidecar(latency=wire.Latency(1e308, 1e308, None)), sidecar(), "Hot", "")
@example(sidecar(cold_start=wire.ColdStart(1e308, None, None, None)), sidecar(), "Hot", "")
@example(sidecar(model=replace(MODEL, digest="\x1b[2J\n")), sidecar(), "Hot", "")
def test_what_sidecars_say_makes_a_valid_status(
    one: wire.Status, other: wire.Status, reason: str, message: str
) -> None:
    before = Status()
    for said, seen_pod in (
        (one, pod().running().shut("Pulling")),
        (one, pod().hot(reason=reason, message=message)),
        (other, pod().hot(reason=reason, message=message, at=50)),
    ):
        seen = Seen(pods=(seen_pod.manifest,), sidecars={"phi3-a": said})
        found = observed(WANTED, before, seen, NOW)
        assert_is_plain(found)
        before = found.status


@calm
@given(odd(st.dictionaries(texts, values)), st.lists(texts, max_size=2))
def test_what_the_api_server_says_makes_a_valid_status(
    deployment: Json, sentences: list[str]
) -> None:
    problems = tuple(Problem("Refused", sentence) for sentence in sentences)
    seen = Seen(deployment=deployment, claim=deployment, problems=problems)
    assert_is_plain(observed(WANTED, Status(), seen, NOW))
