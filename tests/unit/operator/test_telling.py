"""When a status is written: at once where somebody may wait for it, else not too often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoker_operator.telling import MOST, PACE, PATIENCE, SHARE, is_awaited, pause_seconds

NOW = datetime(2026, 1, 1, tzinfo=UTC)
JUST_NOW = NOW - timedelta(seconds=1)

SAID: dict[str, Any] = {
    "observedGeneration": 1,
    "phase": "Pending",
    "hotReplicas": 0,
    "replicas": 0,
    "conditions": [{"type": "Hot", "status": "False", "message": "0 of 1 pod is hot"}],
}


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"phase": "Pulling"}, id="another phase"),
        pytest.param({"hotReplicas": 1}, id="a pod more that takes traffic"),
        pytest.param({"observedGeneration": 2}, id="another spec"),
        pytest.param({"conditions": [{"type": "Hot", "status": "True"}]}, id="a condition"),
        pytest.param({"conditions": []}, id="a condition less"),
    ],
)
def test_what_somebody_may_wait_for_is_written_at_once(change: dict[str, Any]) -> None:
    assert is_awaited(SAID, SAID | change)


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"replicas": 1}, id="a pod more that is on its way"),
        pytest.param({"conditions": [SAID["conditions"][0] | {"message": "1"}]}, id="a sentence"),
    ],
)
def test_what_only_tells_of_progress_is_not(change: dict[str, Any]) -> None:
    assert not is_awaited(SAID, SAID | change)


def test_progress_is_told_now_and_then() -> None:
    assert pause_seconds(JUST_NOW, NOW, 1, NOW) == PACE.total_seconds() - 1
    assert pause_seconds(NOW - PACE, NOW - PATIENCE, 1, NOW) == 0


def test_progress_is_kept_for_a_moment_for_what_comes_on_its_heels() -> None:
    assert pause_seconds(NOW - 2 * PACE, NOW, 1, NOW) == PATIENCE.total_seconds()
    assert pause_seconds(NOW - 2 * PACE, JUST_NOW, 1, NOW) == PATIENCE.total_seconds() - 1


def test_the_more_there_are_on_their_way_the_less_often_each_is_told_of() -> None:
    for number in (10, 30, 60):
        wait = pause_seconds(NOW - 2 * PACE, NOW, number, NOW)
        assert wait / number == SHARE.total_seconds()  # for them all together it is the same
    assert pause_seconds(NOW - MOST, NOW - MOST, 1000, NOW) == 0


def test_the_first_word_does_not_wait() -> None:
    assert is_awaited({}, SAID)
    assert pause_seconds(None, NOW, 1, NOW) == 0
