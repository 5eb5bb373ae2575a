"""Without an operator models go on being served, and their pods look after themselves."""

import os
import signal
import time

import pytest

from bed.layout import Bed
from bed.watching import watching
from cluster.hot_pods import HOT_SECONDS, is_open, name_of, restarts, runner_of
from cluster.operator.clients import ask
from cluster.operator.installation import ACCOUNT, Installation
from cluster.operator.resource import Resource
from support.manifests import Json


@pytest.mark.slow
def test_models_are_served_and_gates_work(
    bed: Bed, installation: Installation, own: Resource, simulator: Json
) -> None:
    operator = installation.started()
    own.apply(simulator)
    own.until_hot(seconds=HOT_SECONDS)
    children = own.children()
    assert operator.stop() == 0
    own.namespace.kubectl("delete", "serviceaccount,rolebinding", ACCOUNT)
    assert ask(bed, own)["eval_count"] == 3

    (pod,) = own.pods().values()
    with watching(own.namespace, "pods") as pods:
        killed = time.monotonic()
        os.kill(runner_of(pod), signal.SIGKILL)
        shut = pods.until(lambda found: not is_open(found), since=killed)
        pods.until(is_open, since=shut.at, seconds=HOT_SECONDS)
    own.namespace.wait_for(lambda: ask(bed, own))

    # And the next operator finds all as it should be.
    installation.prepare()
    installation.started()
    own.until_hot()
    (same,) = own.pods().values()
    assert name_of(same) == name_of(pod)
    assert restarts(same) == {"ollama": 0, "sidecar": 0}
    assert {key: each["metadata"]["uid"] for key, each in own.children().items()} == {
        key: each["metadata"]["uid"] for key, each in children.items()
    }
