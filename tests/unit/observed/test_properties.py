"""What holds whatever is seen."""

from dataclasses import replace
from datetime import timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker_api import wire
from stoker_api.reasons import Reason
from stoker_api.status import Status
from stoker_operator.observed import Problem, Seen, observed, refused, to_read
from stoker_operator.observed.raw import said, text
from support.manifests import Json, resource
from support.pods_seen import NOW
from support.statuses import HOT, STARTING

junk: st.SearchStrategy[Any] = st.one_of(
    st.none(), st.integers(), st.text(max_size=8), st.just({}), st.just([]), st.just([1, "a", None])
)
reasons = st.one_of(
    st.sampled_from([reason.value for reason in Reason]),
    st.sampled_from(["", "ImagePullBackOff", "Unschedulable", "NewerThanTheOperator", "x" * 2000]),
)
times = st.one_of(
    st.integers(0, 60).map(lambda second: f"2026-01-01T11:58:{second:02}Z"),
    st.sampled_from(["", "0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", "yesterday"]),
    st.just("2026-01-01T12:00:00"),
)
messages = st.one_of(st.text(max_size=20), st.just("m" * 5000))
conditions = st.fixed_dictionaries(
    {
        "type": st.sampled_from(["Ready", wire.HOT_CONDITION, wire.HOT_CONDITION, "PodScheduled"]),
        "status": st.sampled_from(["True", "False", "True", "False", "Unknown"]),
    },
    optional={
        "reason": st.one_of(reasons, junk),
        "message": st.one_of(messages, junk),
        "lastTransitionTime": st.one_of(times, junk),
    },
)
containers = st.fixed_dictionaries(
    {},
    optional={
        "name": st.one_of(st.just("ollama"), junk),
        "image": st.one_of(st.just("ollama/ollama"), junk),
        "restartCount": st.one_of(st.integers(0, 3), junk),
        "state": st.one_of(
            st.fixed_dictionaries(
                {"waiting": st.fixed_dictionaries({"reason": reasons}, optional={"message": junk})}
            ),
            st.fixed_dictionaries({"running": st.fixed_dictionaries({"startedAt": times})}),
            junk,
        ),
        "lastState": junk,
    },
)


@st.composite
def pods(draw: st.DrawFn, name: str) -> Json:
    metadata: Json = {"name": name, "creationTimestamp": draw(st.one_of(times, junk))}
    if draw(st.integers(0, 5)) == 0:
        metadata["deletionTimestamp"] = draw(st.one_of(times, junk))
    status = {
        "podIP": draw(st.sampled_from(["10.0.0.1", "", None, 1])),
        "phase": draw(st.sampled_from(["Running", "Running", "Pending", "Failed", "Odd", None])),
        "conditions": draw(
            st.one_of(st.lists(st.one_of(conditions, conditions, junk), max_size=4), junk)
        ),
        "containerStatuses": draw(
            st.one_of(st.lists(st.one_of(containers, junk), max_size=2), junk)
        ),
        "initContainerStatuses": draw(
            st.one_of(st.lists(st.one_of(containers, junk), max_size=2), junk)
        ),
    }
    node = draw(st.sampled_from(["node-1", "", None, "n" * 400]))
    return {"metadata": metadata, "spec": {"nodeName": node}, "status": status}


numbers = st.one_of(st.none(), st.integers(-(2**70), 2**70))
spans = st.one_of(st.none(), st.floats())
words = st.one_of(st.text(max_size=8), st.just("w" * 3000))
sidecars = st.builds(
    replace,
    st.sampled_from([HOT, STARTING]),
    reason=reasons,
    message=messages,
    model=st.none()
    | st.builds(
        wire.ModelFigures,
        words,
        words,
        st.integers(),
        st.none() | words,
        st.none() | words,
        numbers,
    ),
    residency=st.none()
    | st.builds(wire.Residency, st.integers(-1, 2**70), st.integers(-1, 2**70), st.none()),
    gpus=st.lists(
        st.builds(wire.GpuFigures, words, words, numbers, numbers, spans, spans, spans),
        max_size=2,
    ).map(tuple),
    latency=st.builds(wire.Latency, spans, spans, spans),
    cold_start=st.builds(wire.ColdStart, spans, spans, spans, spans),
    routes=st.lists(
        st.builds(wire.Route, st.sampled_from(list(wire.Api)), st.booleans(), words, words),
        max_size=2,
    ).map(tuple),
    warnings=st.lists(
        st.sampled_from(["No progress (warmup.deadline)", "w" * 3000]), max_size=2
    ).map(tuple),
)
deployments = st.none() | st.fixed_dictionaries(
    {},
    optional={
        "metadata": st.one_of(st.just({"generation": 1}), junk),
        "status": st.one_of(
            st.fixed_dictionaries(
                {
                    "observedGeneration": st.one_of(st.integers(0, 2), junk),
                    "updatedReplicas": st.one_of(st.integers(0, 4), junk),
                    "replicas": st.one_of(st.integers(0, 4), junk),
                    "conditions": st.lists(
                        st.fixed_dictionaries(
                            {
                                "type": st.sampled_from(["Progressing", "ReplicaFailure"]),
                                "status": st.sampled_from(["True", "False"]),
                                "reason": st.one_of(reasons, junk),
                                "message": messages,
                            }
                        ),
                        max_size=2,
                    ),
                }
            ),
            junk,
        ),
    },
)
claims = st.one_of(
    junk,
    st.fixed_dictionaries(
        {"status": st.fixed_dictionaries({"phase": st.sampled_from(["Pending", "Lost", "Bound"])})}
    ),
)
problems = st.lists(
    st.builds(
        Problem, st.sampled_from(["Invalid", "NameTaken", "Refused", "ApiError", "Odd"]), messages
    ),
    max_size=2,
).map(tuple)
specs = st.fixed_dictionaries(
    {"replicas": st.integers(0, 4)},
    optional={
        "suspend": st.booleans(),
        "gpu": st.sampled_from(
            [{}, {"memoryBudget": "8Gi"}, {"memoryBudget": "1Ki", "minOffload": "90%"}]
        ),
        "rollout": st.sampled_from(
            [{"maxSurge": 0, "maxUnavailable": 1}, {"maxSurge": "0%", "maxUnavailable": "50%"}]
        ),
        "routing": st.sampled_from([{"apis": []}, {"apis": ["ollama", "openai"]}]),
    },
)


@st.composite
def seens(draw: st.DrawFn) -> Seen:
    names = draw(st.sampled_from([("a", "b", "c"), ("a",), (), tuple(map(str, range(40)))]))
    shown = tuple(draw(pods(name)) for name in names[:4]) or ()
    if len(names) > 4:  # a fleet of pods that are alike but for their names
        shown = tuple(
            {**shown[0], "metadata": {**shown[0]["metadata"], "name": name}} for name in names
        )
    return Seen(
        deployment=draw(deployments),
        claim=draw(claims),
        pods=shown,
        sidecars={name: draw(sidecars) for name in names[:4] if draw(st.booleans())},
        problems=draw(problems),
        paused=draw(st.integers(0, 9)) == 0,
        sidecars_in_reach=draw(st.integers(0, 9)) > 0,
    )


calm = settings(suppress_health_check=list(HealthCheck), deadline=None, max_examples=25)
LATER = NOW + timedelta(minutes=5)


@calm
@given(specs, seens(), seens())
def test_whatever_is_seen_makes_a_valid_status(spec: Json, one: Seen, other: Seen) -> None:
    wanted = resource(spec, generation=1)
    first = observed(wanted, Status(), one, NOW)
    second = observed(wanted, first.status, other, LATER)
    for found in (first, second):
        assert Status.model_validate(found.status.as_json()) == found.status
        assert all(notice.reason for notice in found.events)
        assert found.look_again_seconds is None or found.look_again_seconds > 0


@calm
@given(specs, seens(), seens())
def test_what_is_seen_twice_changes_nothing_and_tells_nothing(
    spec: Json, one: Seen, other: Seen
) -> None:
    wanted = resource(spec, generation=1)
    before = observed(wanted, Status(), one, NOW).status
    first = observed(wanted, before, other, NOW)
    again = observed(wanted, first.status, other, LATER)
    assert again.status == first.status
    assert again.events == ()


@calm
@given(specs, seens())
def test_without_an_answer_nothing_changes_after_one(spec: Json, seen: Seen) -> None:
    wanted = resource(spec, generation=1)
    first = observed(wanted, Status(), seen, NOW)
    silent = observed(wanted, first.status, replace(seen, sidecars={}), LATER)
    was, now = first.status, silent.status
    assert (now.phase, now.hot, now.pods, now.model) == (was.phase, was.hot, was.pods, was.model)


@calm
@given(specs, seens())
def test_no_pod_is_hot_that_is_not_ready_or_leaves(spec: Json, seen: Seen) -> None:
    status = observed(resource(spec, generation=1), Status(), seen, NOW).status
    takes_traffic = [
        pod
        for pod in seen.pods
        if all(
            (found := said(pod, kind)) and found.status == "True"
            for kind in ("Ready", wire.HOT_CONDITION)
        )
        and not text(pod, "metadata", "deletionTimestamp")
        and text(pod, "status", "phase") != "Failed"
    ]
    assert status.hot_replicas == len(takes_traffic)


@calm
@given(specs, seens(), seens())
def test_a_transition_time_moves_with_its_status_alone(spec: Json, one: Seen, other: Seen) -> None:
    wanted = resource(spec, generation=1)
    before = observed(wanted, Status(), one, NOW).status
    after = observed(wanted, before, other, LATER).status
    for was, now in zip(before.conditions, after.conditions, strict=True):
        moved = was.last_transition_time != now.last_transition_time
        assert moved == (was.status != now.status)


@calm
@given(specs, seens())
def test_at_most_32_sidecars_are_asked_and_only_of_pods_that_have_an_address(
    spec: Json, seen: Seen
) -> None:
    addresses = {pod["metadata"]["name"] for pod in seen.pods if text(pod, "status", "podIP")}
    asked = to_read(resource(spec, generation=1), Status(), seen.pods)
    assert len(asked) <= 32
    assert set(asked) <= addresses


@calm
@given(specs, seens(), problems)
def test_a_refusal_leaves_what_was_said_of_the_pods(
    spec: Json, seen: Seen, wrong: tuple[Problem, ...]
) -> None:
    before = observed(resource(spec, generation=1), Status(), seen, NOW).status
    found = refused(2, before, wrong, LATER)
    assert Status.model_validate(found.status.as_json()) == found.status
    assert found.status.phase == "Blocked"
    assert found.status.pods == before.pods
    again = refused(2, found.status, wrong, LATER)
    assert (again.status, again.events) == (found.status, ())
