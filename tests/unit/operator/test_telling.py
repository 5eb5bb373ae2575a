"""When a status is written: at once where somebody may wait for it, else not too often."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from stoker_operator.telling import PACE, PATIENCE, pause_seconds

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
    assert pause_seconds(SAID, SAID | change, JUST_NOW, NOW, NOW) == 0


@pytest.mark.parametrize(
    "change",
    [
        pytest.param({"replicas": 1}, id="a pod more that is on its way"),
        pytest.param({"conditions": [SAID["conditions"][0] | {"message": "1"}]}, id="a sentence"),
    ],
)
def test_what_only_tells_of_progress_waits(change: dict[str, Any]) -> None:
    new = SAID | change
    assert pause_seconds(SAID, new, JUST_NOW, NOW, NOW) == PACE.total_seconds() - 1
    assert pause_seconds(SAID, new, NOW - PACE, NOW - PATIENCE, NOW) == 0


def test_progress_is_kept_for_a_moment_for_what_comes_on_its_heels() -> None:
    new = SAID | {"replicas": 1}
    assert pause_seconds(SAID, new, NOW - 2 * PACE, NOW, NOW) == PATIENCE.total_seconds()
    assert pause_seconds(SAID, new, NOW - 2 * PACE, JUST_NOW, NOW) == PATIENCE.total_seconds() - 1


def test_the_first_word_does_not_wait() -> None:
    assert pause_seconds({}, SAID, None, NOW, NOW) == 0
