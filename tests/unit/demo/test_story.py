"""The story: in the order of time, and over within a minute."""

from itertools import pairwise
from pathlib import Path

import pytest

from stoker_demo import story
from stoker_demo.story import Deed, Story
from stoker_operator.intake import checked

ROOT = Path(__file__).parents[3]
STORIES = pytest.mark.parametrize("told", [story.SIMULATED, story.REAL])


@STORIES
def test_everything_happens_in_the_order_of_time(told: Story) -> None:
    moments = [step.at for act in told.acts for step in act.steps]
    assert all(before < after for before, after in pairwise([*moments, told.ends]))


@STORIES
def test_it_leaves_time_to_start_and_end_within_a_minute(told: Story) -> None:
    assert told.ends <= 45


@STORIES
def test_whatever_is_stopped_or_shrunk_is_put_right_in_the_same_act(told: Story) -> None:
    for act in told.acts:
        deeds = [deed for step in act.steps for deed in step.deeds]
        assert deeds.count(Deed.STOP) == deeds.count(Deed.RESTART)
        assert deeds.count(Deed.SHRINK) == deeds.count(Deed.GROW)


def test_no_replica_is_the_only_one_that_things_happen_to() -> None:
    assert {act.replica for act in story.SIMULATED.acts} == {1, 2}


@pytest.mark.parametrize("name", ["simulated.yaml", "real.yaml"])
def test_the_files_are_good_llmdeployments_with_two_replicas(name: str) -> None:
    (resource,) = checked([str(ROOT / "demo" / name)])
    assert not isinstance(resource, dict)
    assert resource.spec.replicas == 2  # type: ignore[union-attr]
