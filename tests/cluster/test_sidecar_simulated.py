"""The sidecar in a pod, beside a simulator: what a tiny model is too quick for.

Times are logged (`--log-cli-level=info`) and not asserted: on a busy machine they say little.
"""

import json
import logging
import os
import signal
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from bed import images, lifecycle, machine
from bed.cluster import Namespace
from bed.layout import Bed
from cluster.hot_pods import NAME, HotPods, hot_pods, is_open, name_of, restarts, runner_of
from stoker_api.wire import HEAT_FILE

_log = logging.getLogger(__name__)

OPTIONS = "--model phi3:mini --speed 1 --control-port 11435"

WORDS = 640
"""An answer of this many takes more than a minute."""

ROUTING = {"drainTimeout": "2m"}

AWAY_SECONDS = 6.0

# Tells the simulator what is to go wrong.
INJECT = """
import sys, urllib.request
url = f"http://localhost:11435/faults/{sys.argv[1]}"
urllib.request.urlopen(urllib.request.Request(url, sys.argv[2].encode(), method="POST"))
"""


@pytest.fixture
def kept(bed: Bed, namespace: Namespace) -> Iterator[HotPods]:
    """A pod whose model is hot."""
    image = images.project_image("simulator")
    lifecycle.provide(bed, image)
    variable = {"name": "STOKER_SIMULATOR", "value": OPTIONS}
    server = {"image": image.tag, "env": [variable]}
    spec = {"model": "phi3:mini", "server": server, "routing": ROUTING}
    with hot_pods(bed, namespace, spec) as kept:
        kept.until_ready()
        yield kept


# --- the way out ----------------------------------------------------------------------------------


def test_a_stranger_cannot_drain_a_pod(kept: HotPods) -> None:
    name = name_of(kept.pod())
    asked = time.monotonic()
    assert "this pod is not leaving; nothing has been changed" in kept.see(name, "/drain")
    assert all(is_open(each.found) for each in kept.pods.changes if each.at > asked)
    assert kept.status(name)["hot"]


def delete(kept: HotPods) -> None:
    kept.namespace.kubectl("delete", "pod", name_of(kept.pod()), "--wait=false")


def evict(kept: HotPods) -> None:
    """As `kubectl drain` of its node does with each pod."""
    name, place = name_of(kept.pod()), f"/api/v1/namespaces/{kept.namespace.name}/pods"
    eviction = {
        "apiVersion": "policy/v1",
        "kind": "Eviction",
        "metadata": {"name": name, "namespace": kept.namespace.name},
    }
    create = ("create", f"--raw={place}/{name}/eviction", "--filename=-")
    kept.namespace.kubectl(*create, stdin=json.dumps(eviction))


def replace(kept: HotPods) -> None:
    kept.namespace.kubectl("rollout", "restart", f"deployment/{NAME}")


def scale_in(kept: HotPods) -> None:
    kept.namespace.kubectl("scale", f"deployment/{NAME}", "--replicas=0")


@pytest.mark.slow
@pytest.mark.parametrize("end", [delete, evict, replace, scale_in])
def test_an_answer_of_a_minute_that_is_under_way_arrives_whole(
    kept: HotPods, end: Callable[[HotPods], None]
) -> None:
    pod = name_of(kept.pod())

    def is_gone() -> None:
        assert pod not in map(name_of, kept.namespace.list("pods"))

    with kept.asking("Why?", options={"num_predict": WORDS}) as answer:
        first = next(answer)
        began = time.monotonic()
        end(kept)
        shut = kept.until_not_ready(pod, since=began)
        lines = [first, *answer]
    answered = time.monotonic()
    assert lines[-1]["done"]
    assert lines[-1]["eval_count"] == len(lines) - 1 == WORDS
    kept.namespace.wait_for(is_gone)
    _log.info(
        "no new traffic after %.2f s, answered after %.1f s, gone %.1f s later",
        shut - began, answered - began, time.monotonic() - answered,
    )  # fmt: skip


# --- the world around it --------------------------------------------------------------------------


@pytest.mark.slow
def test_changed_settings_are_taken_up_and_bad_ones_are_not(kept: HotPods) -> None:
    pod = name_of(kept.pod())
    good = kept.namespace.get("configmap", f"{NAME}-heat")["data"][HEAT_FILE]
    assert kept.status(pod)["configError"] is None

    _settings(kept, good.replace('"intervalSeconds": 0.5', '"intervalSeconds": -1'))

    def are_refused() -> dict[str, Any]:
        status = kept.status(pod)
        assert status["configError"]
        return status

    status = kept.namespace.wait_for(are_refused, seconds=120)
    assert "intervalSeconds" in status["configError"]
    assert status["hot"]

    _settings(kept, good.replace('"intervalSeconds": 0.5', '"intervalSeconds": 0.25'))

    def are_taken_up() -> None:
        assert kept.status(pod)["configError"] is None
        assert "settings taken up" in kept.namespace.kubectl("logs", pod, "--container=sidecar")

    kept.namespace.wait_for(are_taken_up, seconds=120)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 0}


@pytest.mark.slow
def test_a_gate_that_could_not_be_shut_is_shut_once_the_api_server_is_back(
    bed: Bed, kept: HotPods
) -> None:
    pod = kept.pod()
    (node,) = (each for each in bed.nodes() if each.name == pod["spec"]["nodeName"])
    slow = ("python3", "-c", INJECT, "slow-disk", json.dumps({"factor": 10}))
    kept.namespace.kubectl("exec", name_of(pod), "--container=ollama", "--", *slow)
    machine.unplug(node)
    try:
        os.kill(runner_of(pod), signal.SIGKILL)
        # How long the API server is away is what this test is about.
        time.sleep(AWAY_SECONDS)
    finally:
        plugged = time.monotonic()
        machine.plug(node)
    shut = kept.until_shut(since=plugged)
    hot = kept.until_hot(since=shut)
    _log.info("back: gate shut after %.2f s, hot after %.2f s", shut - plugged, hot - plugged)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 0}


def _settings(kept: HotPods, heat: str) -> None:
    """Changes the ConfigMap, and has the kubelet look at it now and not in a minute."""
    patch = json.dumps({"data": {HEAT_FILE: heat}})
    kept.namespace.kubectl("patch", "configmap", f"{NAME}-heat", f"--patch={patch}")
    hurry = f"stoker.dev/test={time.monotonic()}"
    kept.namespace.kubectl("annotate", "--overwrite", "pod", name_of(kept.pod()), hurry)
