"""The last hour, as statuses and pods told it: what is remembered, and that it is bounded."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_operator.observed.pods import pods
from stoker_operator.page.history import (
    GONE,
    SPAN_SECONDS,
    History,
    Lane,
    recent,
    with_pod,
    with_status,
    without_pod,
)
from support.manifests import Json
from support.pods_seen import MADE, Seeing, pod, stamp

START = MADE.timestamp()


def with_seen(history: History, seen: Seeing, at: float) -> History:
    """The history with this pod, seen so many seconds after it was made."""
    (found,) = pods((seen.manifest,), {})
    return with_pod(history, found, START + at)


def after(*looks: tuple[float, Seeing]) -> Lane:
    """What is remembered of the pod by these looks."""
    history = History()
    for at, seen in looks:
        history = with_seen(history, seen, at)
    return history.pods["phi3-a"]


def status(phase: object, **also: object) -> Json:
    conditions = [{"type": "Hot", "lastTransitionTime": stamp(50)}]
    return {"phase": phase, "conditions": conditions, **also}


def phases(*looks: tuple[float, Json]) -> Lane:
    history = History()
    for at, each in looks:
        history = with_status(history, each, START + at)
    return history.phases


def steps(lane: Lane) -> list[tuple[float, str]]:
    return [(each.at - START, each.word) for each in lane]


def test_each_change_of_a_pod_is_a_step_and_the_same_again_is_none() -> None:
    lane = after(
        (6, pod().shut("Loading", at=5)),
        (10, pod().shut("Loading", "other words", at=5)),
        (40, pod().hot(at=39)),
        (90, pod().shut("Crashed", at=89)),
    )

    assert steps(lane) == [(5, "Loading"), (39, "Hot"), (89, "Cold")]
    assert lane[-1].reason == "Crashed"


def test_a_state_of_a_gate_that_stays_shut_began_when_it_was_seen() -> None:
    """The time is the gate's: it does not move from Pulling to Loading."""
    lane = after((6, pod().shut("Pulling", at=5)), (30, pod().shut("Loading", at=5)))

    assert steps(lane) == [(5, "Pulling"), (30, "Loading")]


def test_a_clock_that_is_ahead_puts_nothing_into_the_future() -> None:
    assert steps(after((50, pod().hot(at=500)))) == [(50, "Hot")]
    assert steps(phases((20, status("Hot")))) == [(20, "Hot")]


def test_a_phase_is_a_step_when_it_is_told() -> None:
    looks = (60, status("Loading")), (70, status("Loading")), (80, status("Hot"))

    assert steps(phases(*looks)) == [(50, "Loading"), (80, "Hot")]


def test_the_first_phase_goes_back_to_the_last_change_that_is_known() -> None:
    found = phases((200, status("Hot", pods=[{"name": "a", "since": stamp(90)}])))

    assert steps(found) == [(90, "Hot")]


def test_a_pod_that_has_gone_is_remembered_for_an_hour() -> None:
    history = without_pod(with_seen(History(), pod().hot(at=40), 41), "phi3-a", START + 50)

    assert steps(history.pods["phi3-a"]) == [(40, "Hot"), (50, GONE)]
    assert "phi3-a" in recent(history, START + 50 + SPAN_SECONDS - 1).pods
    assert "phi3-a" not in recent(history, START + 50 + SPAN_SECONDS).pods


def test_a_pod_that_has_not_changed_for_hours_is_still_known() -> None:
    history = recent(with_seen(History(), pod().hot(at=40), 41), START + 5 * SPAN_SECONDS)

    assert steps(history.pods["phi3-a"]) == [(40, "Hot")]


@pytest.mark.parametrize("odd", [5, None, ["x"]])
def test_a_status_that_says_nothing_of_use_is_borne(odd: object) -> None:
    assert steps(phases((0, {"phase": odd, "pods": odd, "conditions": odd}))) == [(0, "")]


@given(
    st.lists(
        st.tuples(st.floats(0, 300), st.sampled_from("abcdefgh"), st.sampled_from("hcg")),
        max_size=200,
    )
)
def test_time_goes_forward_in_each_lane_and_nothing_is_older_than_the_hour(
    looks: list[tuple[float, str, str]],
) -> None:
    history, at = History(), 10.0
    for pause, name, what in looks:
        at += pause
        if what == "g":
            history = without_pod(history, name, START + at)
        else:
            seen = pod(name).hot(at=at - 1) if what == "h" else pod(name).shut("Crashed", at=at - 1)
            history = with_seen(history, seen, at)
        history = recent(history, START + at)
    lanes = history.pods.values()
    assert all(one.at <= other.at for lane in lanes for one, other in pairwise(lane))
    assert all(lane[1].at > START + at - SPAN_SECONDS for lane in lanes if len(lane) > 1)


def test_flapping_and_many_names_are_forgotten_from_their_old_end() -> None:
    history = History()
    for second in range(10, 1000):
        flaps = (
            pod("flaps").hot(at=second) if second % 2 else pod("flaps").shut("Crashed", at=second)
        )
        history = with_seen(history, flaps, second)
        history = with_seen(history, pod(f"pod-{second}").hot(at=second), second)
        history = recent(without_pod(history, f"pod-{second}", START + second), START + second)

    assert len(history.pods) == 64
    assert max(len(lane) for lane in history.pods.values()) == 120
    assert steps(history.pods["flaps"])[-1] == (999, "Hot")
    assert "pod-999" in history.pods
