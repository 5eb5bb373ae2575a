"""What a model takes of its GPUs is measured by NVML, and held against what it may take."""

import pytest

from bed.layout import Bed
from cluster.operator.bad_day import GPU
from cluster.operator.clients import ask
from cluster.operator.conftest import provided_with_gpu
from cluster.operator.resource import Resource
from support.manifests import Json

HEATING_SECONDS = 120
LITTLE, ENOUGH = "1Gi", "20Gi"
GIB = 2**30


@pytest.fixture(scope="module")
def measured(bed: Bed, shared_gpus: None) -> Json:  # noqa: ARG001
    """A spec whose pods have a GPU, and a driver that says what is taken of it."""
    server, sidecar = provided_with_gpu(bed)
    options = "--model phi3:mini --gpu-memory 24GiB --nvml-state /run/stoker/nvml.json"
    return {
        "model": "phi3:mini",
        "server": {
            "image": server,
            "env": [{"name": "STOKER_SIMULATOR", "value": options}],
        },
        "sidecar": {"image": sidecar},
    }


def with_budget(budget: str, **more: str) -> Json:
    return {"gpu": {"count": 1, "resourceName": GPU, "memoryBudget": budget, **more}}


@pytest.mark.slow
def test_one_that_takes_more_serves_and_everybody_is_told(
    bed: Bed, resource: Resource, measured: Json
) -> None:
    resource.apply(measured | {"replicas": 2} | with_budget(LITTLE))
    resource.until_hot(replicas=2, seconds=HEATING_SECONDS)
    told = resource.until_condition("WithinBudget", "False", "OverBudget", "1.0Gi", "2 pods")
    assert "Raise the budget" in told["message"]
    assert ask(bed, resource)["eval_count"] == 3

    gpu = resource.status()["gpu"]
    assert gpu["measuredBytes"] > gpu["budgetBytes"] == GIB
    assert resource.events()["OverBudget"] == 1

    resource.merge({"spec": with_budget(ENOUGH)})
    resource.until_condition("WithinBudget", "True", "WithinBudget", seconds=HEATING_SECONDS)


@pytest.mark.slow
def test_one_that_takes_more_does_not_begin_to_serve_where_that_is_wanted(
    resource: Resource, measured: Json
) -> None:
    resource.apply(measured | with_budget(LITTLE, onOverBudget="Block"))
    resource.until_condition("WithinBudget", "False", "OverBudget", seconds=HEATING_SECONDS)
    status = resource.status()
    assert (status["phase"], status["hot"]) == ("Blocked", "0/1")
    assert resource.condition("Available")["status"] == "False"
    (before,) = resource.pods()

    resource.merge({"spec": with_budget(ENOUGH, onOverBudget="Block")})
    resource.until_hot(seconds=HEATING_SECONDS)
    (after,) = resource.pods()
    assert before == after, "a budget is no reason to load the model again"
