"""The last hour, as statuses told it: what is remembered, and that it is bounded."""

from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from stoker_operator.page.history import GONE, SPAN_SECONDS, Change, History, noted, recent

START = datetime(2026, 1, 1, 12, tzinfo=UTC).timestamp()


def stamp(seconds: float) -> str:
    return datetime.fromtimestamp(START + seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def status(phase: str, *pods: tuple[str, str, float]) -> dict[str, Any]:
    """A status in which these pods are so hot since then."""
    return {
        "phase": phase,
        "conditions": [{"type": "Hot", "lastTransitionTime": stamp(-50)}],
        "pods": [
            {"name": name, "heat": heat, "reason": heat, "since": stamp(since)}
            for name, heat, since in pods
        ],
    }


def told(*statuses: tuple[float, dict[str, Any]]) -> History:
    """What is remembered of these, each at its time."""
    history = History()
    for seconds, each in statuses:
        history = noted(history, each, START + seconds)
    return history


def since(lane: tuple[Change, ...]) -> list[tuple[float, str]]:
    return [(each.at - START, each.word) for each in lane]


def test_each_change_is_a_step_and_the_same_again_is_none() -> None:
    found = told(
        (0, status("Loading", ("a", "Loading", -60))),
        (10, status("Loading", ("a", "Loading", -60))),
        (20, status("Hot", ("a", "Hot", 19))),
        (90, status("Cold", ("a", "Cold", 88))),
    )

    assert since(found.phases) == [(-50, "Loading"), (20, "Hot"), (90, "Cold")]
    assert since(found.pods["a"]) == [(-60, "Loading"), (19, "Hot"), (88, "Cold")]


def test_what_was_before_the_first_look_goes_back_to_the_last_change_that_is_known() -> None:
    found = told((0, status("Hot", ("a", "Hot", -400), ("b", "Hot", -20))))

    assert since(found.phases) == [(-20, "Hot")]
    assert since(found.pods["a"]) == [(-400, "Hot")]


def test_a_state_of_a_gate_that_stays_shut_began_when_it_was_told() -> None:
    """`since` is the gate's time: it does not move from Pulling to Loading."""
    found = told(
        (0, status("Pulling", ("a", "Pulling", -60))),
        (30, status("Loading", ("a", "Loading", -60))),
    )

    assert since(found.pods["a"]) == [(-60, "Pulling"), (30, "Loading")]


def test_a_clock_that_is_ahead_puts_nothing_into_the_future() -> None:
    found = told((0, status("Hot", ("a", "Hot", 500))))

    assert since(found.pods["a"]) == [(0, "Hot")]
    assert since(found.phases) == [(0, "Hot")]


def test_a_pod_that_has_gone_is_remembered_for_an_hour() -> None:
    found = told((0, status("Hot", ("a", "Hot", -60))), (10, status("Pending")))

    assert since(found.pods["a"]) == [(-60, "Hot"), (10, GONE)]
    assert "a" in recent(found, START + 10 + SPAN_SECONDS - 1).pods
    assert "a" not in recent(found, START + 10 + SPAN_SECONDS).pods


def test_a_pod_that_has_not_changed_for_hours_is_still_known() -> None:
    found = recent(told((0, status("Hot", ("a", "Hot", -60)))), START + 5 * SPAN_SECONDS)

    assert since(found.pods["a"]) == [(-60, "Hot")]
    assert since(found.phases) == [(-50, "Hot")]


def test_a_status_that_says_nothing_of_use_is_borne() -> None:
    odd = {"phase": 5, "pods": [{"name": "a"}, "x", {"since": "yesterday"}], "conditions": 3}

    assert since(told((0, odd)).phases) == [(0, "")]


@given(
    st.lists(
        st.tuples(
            st.floats(0, 300),
            st.lists(st.tuples(st.sampled_from("abcdefgh"), st.sampled_from(["Hot", "Cold"]))),
        ),
        max_size=400,
    )
)
def test_time_goes_forward_in_each_lane_and_nothing_grows(
    looks: list[tuple[float, list[tuple[str, str]]]],
) -> None:
    history, seconds = History(), 0.0
    for pause, pods in looks:
        seconds += pause
        seen = {name: (name, heat, seconds - 1) for name, heat in pods}
        history = noted(history, status("Hot", *seen.values()), START + seconds)
    lanes = [history.phases, *history.pods.values()]
    assert all(one.at <= other.at for lane in lanes for one, other in pairwise(lane))
    assert all(lane[1].at > START + seconds - SPAN_SECONDS for lane in lanes if len(lane) > 1)


def test_flapping_and_many_names_are_forgotten_from_their_old_end() -> None:
    history = History()
    for second in range(1000):
        pods = (
            ("flaps", "Hot" if second % 2 else "Cold", second),
            (f"pod-{second}", "Hot", second),
        )
        history = noted(history, status("Hot", *pods), START + second)

    assert len(history.pods) <= 64
    assert max(len(lane) for lane in history.pods.values()) <= 120
    assert since(history.pods["flaps"])[-1] == (999, "Hot")
    assert "pod-999" in history.pods
