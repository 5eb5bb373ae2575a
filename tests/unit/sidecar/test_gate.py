"""When the gate is written, and who the pod says it is. The rest needs an API server."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_api.wire import HotCondition
from stoker_sidecar.apiserver import Identity, RefusedError, identity
from stoker_sidecar.pace import TEMPO, Pace

HOT = HotCondition(
    hot=True, reason="Proven", message="2 of 2", last_transition_time="2026-01-01T00:00:00Z"
)
COLD = replace(HOT, hot=False, reason="Crashed")
POD = {
    "KUBERNETES_SERVICE_HOST": "10.96.0.1",
    "KUBERNETES_SERVICE_PORT": "443",
    "POD_NAME": "phi3-1",
    "POD_NAMESPACE": "llms",
    "POD_UID": "a-b-c",
}


def spent(pace: Pace, now: float) -> None:
    """Takes all tokens, and ends with an opening."""
    for _ in range(TEMPO.burst):
        pace.sent(HOT, now)
        pace.succeeded()


def test_what_is_stored_already_is_not_written() -> None:
    later = replace(HOT, last_transition_time="2027-01-01T00:00:00Z")
    assert Pace().due(later, HOT, now=0) is None


def test_what_nobody_knows_to_be_stored_is_written_at_once() -> None:
    assert Pace().due(HOT, None, now=7) == 7


def test_after_a_burst_openings_come_one_a_second() -> None:
    pace = Pace()
    spent(pace, now=10)
    assert pace.due(HOT, COLD, now=10) == pytest.approx(11)


def test_a_shut_waits_for_no_token() -> None:
    pace = Pace()
    spent(pace, now=10)
    assert pace.due(COLD, HOT, now=10) == 10


def test_a_shut_waits_for_no_retry_of_an_opening() -> None:
    pace = Pace()
    pace.sent(HOT, now=10)
    pace.failed(10, chance=1, refused=True, told_seconds=20)
    assert pace.due(HOT, None, now=10) == pytest.approx(30)
    assert pace.due(COLD, None, now=10) == 10


def test_a_second_shut_waits_like_everybody() -> None:
    pace = Pace()
    spent(pace, now=10)
    pace.sent(COLD, now=10)
    assert pace.due(replace(COLD, reason="Evicted"), COLD, now=10) == pytest.approx(11)


def test_new_words_alone_wait_for_half_a_minute() -> None:
    pace = Pace()
    pace.sent(HOT, now=10)
    assert pace.due(replace(HOT, message="3 of 3"), HOT, now=11) == 10 + TEMPO.new_words
    assert pace.due(replace(HOT, reason="Silent"), HOT, now=11) == 10 + TEMPO.new_words
    assert pace.due(replace(COLD, reason="Loading"), COLD, now=11) == 11


def test_retries_come_soon_at_first_then_every_second_and_apart() -> None:
    pace = Pace()
    waits = []
    for _ in range(8):
        pace.failed(now=0, chance=1, refused=False)
        waits.append(pace.due(HOT, None, now=0))
    assert waits == pytest.approx([0.1, 0.2, 0.4, 0.8, 1, 1, 1, 1])
    pace.failed(now=0, chance=0, refused=False)
    assert pace.due(HOT, None, now=0) == pytest.approx(0.5)


def test_a_refusal_is_tried_again_more_slowly() -> None:
    pace = Pace()
    for _ in range(10):
        pace.failed(now=0, chance=1, refused=True)
    assert pace.due(HOT, None, now=0) == TEMPO.refused_retry


def test_a_success_forgets_the_failures() -> None:
    pace = Pace()
    for _ in range(10):
        pace.failed(now=0, chance=1, refused=True)
    pace.succeeded()
    assert pace.due(COLD, HOT, now=0) == 0
    pace.failed(now=0, chance=1, refused=True)
    assert pace.due(HOT, None, now=0) == pytest.approx(TEMPO.first_retry)


steps = st.lists(st.tuples(st.sampled_from([HOT, COLD]), st.floats(0, 3), st.booleans()))


@given(steps)
def test_no_sequence_of_wishes_writes_in_a_storm(
    wishes: list[tuple[HotCondition, float, bool]],
) -> None:
    """Writes are at most twice (an opening and its shut) what the bucket lets through."""
    pace, stored, now, writes = Pace(), None, 0.0, 0
    for wanted, seconds, works in wishes:
        now += seconds
        due = pace.due(wanted, stored, now)
        if due is None or due > now:
            continue
        pace.sent(wanted, now)
        writes += 1
        if works:
            pace.succeeded()
            stored = wanted
        else:
            pace.failed(now, chance=0, refused=False)
            stored = None
        assert writes <= 2 * (TEMPO.burst + now * TEMPO.tokens_per_second) + 1


def test_a_pod_knows_itself_and_its_api_server() -> None:
    assert identity(POD) == Identity("10.96.0.1", 443, "llms", "phi3-1", "a-b-c")
    v6 = identity(POD | {"KUBERNETES_SERVICE_HOST": "fd00::1"})
    assert v6
    assert v6.url == "https://[fd00::1]:443"


def test_outside_kubernetes_there_is_nobody_to_be() -> None:
    assert identity({"POD_NAME": "phi3-1"}) is None


@pytest.mark.parametrize("missing", ["POD_NAME", "POD_NAMESPACE", "POD_UID"])
def test_a_pod_that_is_not_told_who_it_is_says_what_to_set(missing: str) -> None:
    with pytest.raises(RefusedError, match=r"set them from metadata\.name"):
        identity({name: value for name, value in POD.items() if name != missing})


def test_a_port_that_is_none_is_refused() -> None:
    with pytest.raises(RefusedError, match=r"must be a number, not 'tcp://"):
        identity(POD | {"KUBERNETES_SERVICE_PORT": "tcp://10.96.0.1:443"})
