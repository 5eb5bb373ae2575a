"""What the page shows of an LLMDeployment."""

from typing import Any

import pytest

from stoker_api import wire
from stoker_operator.page.history import History
from stoker_operator.page.views import Json, line
from support.fleets import BUDGET, GPU, Fleet
from support.manifests import resource
from support.pods_seen import Seeing, pod, sidecar

KEY = ("llms", "phi3")


def shown(spec: Json, *pods: Seeing, **seen: Any) -> Json:
    """The line of an LLMDeployment with these pods."""
    fleet = Fleet()
    fleet.look(KEY, spec, *pods, **seen)
    found = fleet.board.line(KEY)
    assert found
    return found


@pytest.mark.parametrize(
    ("pods", "phase", "reason", "word"),
    [
        pytest.param((), "Pending", "HeatingUp", "0 of 1 pod is hot", id="no pod yet"),
        pytest.param(
            (pod().unschedulable("Insufficient nvidia.com/gpu"),),
            "Pending",
            "Unschedulable",
            "Insufficient nvidia.com/gpu",
            id="it fits nowhere",
        ),
        pytest.param(
            (pod().shut("Loading", "Loading phi3:mini"),),
            "Loading",
            "HeatingUp",
            "Loading phi3:mini",
            id="on its way",
        ),
        pytest.param(
            (pod().shut("ModelNotFound", "there is no such model"),),
            "Blocked",
            "ModelNotFound",
            "there is no such model",
            id="a person is needed",
        ),
        pytest.param((pod().hot(),), "Hot", "Hot", "1 of 1 pod is hot", id="hot"),
    ],
)
def test_the_why_is_that_of_the_condition_that_says_it_best(
    pods: tuple[Seeing, ...], phase: str, reason: str, word: str
) -> None:
    found = shown({}, *pods)
    assert (found["phase"], found["reason"]) == (phase, reason)
    assert word in found["why"]
    assert not found["concern"]


def test_a_hot_model_that_lacks_what_was_asked_for_says_so() -> None:
    half = sidecar(residency=wire.Residency(4 * 2**30, 2 * 2**30, None))
    found = shown(GPU, pod().hot(), sidecars={"phi3-a": half})
    assert (found["phase"], found["reason"], found["concern"]) == ("Hot", "PartlyOnCPU", True)
    assert (found["budgetBytes"], found["vramBytes"]) == (BUDGET, 2 * 2**30)
    assert found["offload"] == "50%"


def test_how_many_are_wanted_follows_the_spec() -> None:
    assert shown({"replicas": 3}, pod().hot())["wanted"] == 3
    assert shown({}, pod().hot())["wanted"] == 1
    assert shown({"suspend": True})["wanted"] == 0


def test_one_that_the_operator_has_not_come_to_is_pending() -> None:
    found = line(KEY, {"spec": resource().spec.model_dump(by_alias=True)}, History())
    assert (found["phase"], found["why"], found["changes"]) == ("Pending", "", [])


@pytest.mark.parametrize("odd", [None, 7, [], {"pods": 1, "conditions": {"a": 1}, "gpu": "x"}])
def test_what_should_not_be_in_a_status_is_passed_over(odd: object) -> None:
    found = line(KEY, {"spec": odd, "status": odd}, History())
    assert (found["model"], found["wanted"], found["vramBytes"]) == ("", 1, None)
