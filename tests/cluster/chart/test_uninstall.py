"""`helm uninstall` takes the operator away, and nothing that a model needs."""

import os
import signal
import time

import pytest

from bed.layout import Bed
from bed.watching import watching
from cluster.chart.release import Release
from cluster.hot_pods import HOT_SECONDS, is_open, runner_of
from cluster.operator.clients import ask
from support.manifests import Json


@pytest.mark.slow
def test_models_are_served_and_gates_work_without_the_release(
    bed: Bed, release: Release, simulator: Json
) -> None:
    release.install()
    model = release.resource("phi3")
    model.apply(simulator)
    model.until_hot(seconds=HOT_SECONDS)
    children = {key: each["metadata"]["uid"] for key, each in model.children().items()}
    release.helm("uninstall", "--wait")
    assert ask(bed, model)["eval_count"] == 3

    (pod,) = model.pods().values()
    with watching(release.namespace, "pods") as pods:
        killed = time.monotonic()
        os.kill(runner_of(pod), signal.SIGKILL)
        shut = pods.until(lambda found: not is_open(found), since=killed)
        pods.until(is_open, since=shut.at, seconds=HOT_SECONDS)

        # What stays is enough for a pod that is new, as after the loss of a node.
        gone = time.monotonic()
        release.namespace.kubectl("delete", "pod", pod["metadata"]["name"], "--wait=false")
        pods.until(
            lambda found: is_open(found) and found["metadata"]["uid"] != pod["metadata"]["uid"],
            since=gone,
            seconds=HOT_SECONDS,
        )
    release.namespace.wait_for(lambda: ask(bed, model))

    # And the next release finds all as it should be.
    release.install()
    model.merge({"spec": {"keepAlive": 3600}})
    model.until_hot()
    assert {key: each["metadata"]["uid"] for key, each in model.children().items()} == children
