"""The sidecar in a pod, beside a real Ollama: the product's promise, kept on a real cluster.

Times are logged (`--log-cli-level=info`) and not asserted: on a busy machine they say little.
"""

import logging
import os
import signal
import time
from collections.abc import Iterator

import pytest

from bed import images, lifecycle, machine, models, ollama, pods, registry
from bed.cluster import Manifest, Namespace
from bed.layout import Bed
from bed.registry import Registry
from cluster.hot_pods import (
    HotPods,
    hot_pods,
    name_of,
    restarts,
    runner_of,
    server_of,
    sidecar_of,
)

_log = logging.getLogger(__name__)

MIB = 1024**2

# More than the tiny model says while a test looks at it.
LONG = {"num_predict": 100_000}

# A kubelet that has just written a pod's status looks at the pod again at its next list of
# containers, up to a second later. After that it follows the gate at once.
SETTLED_SECONDS = 2.0


@pytest.fixture
def source(bed: Bed) -> Iterator[Registry]:
    """A registry that the pods reach."""
    with registry.running(machine.listen(bed.control_plane)) as source:
        yield source


@pytest.fixture
def server(bed: Bed) -> Manifest:
    """The real Ollama, as the spec names it."""
    image = images.ollama_image(ollama.ollama_program(), ollama.VERSION)
    lifecycle.provide(bed, image)
    return {"image": image.tag}


@pytest.fixture
def kept(
    request: pytest.FixtureRequest,
    bed: Bed,
    namespace: Namespace,
    source: Registry,
    server: Manifest,
) -> Iterator[HotPods]:
    """A pod that pulls a model, the tiny one unless the test says otherwise, and keeps it hot."""
    model = getattr(request, "param", models.tiny)()
    spec = {
        "model": source.put("kept", model),
        "server": server,
        "storage": {"emptyDir": {}, "insecureRegistry": True},
    }
    with hot_pods(bed, namespace, spec) as kept:
        yield kept


# The load of the big model takes long enough for Kubernetes to see that it is not there.
@pytest.mark.parametrize("kept", [models.big], indirect=True, ids=["big"])
@pytest.mark.p(31)
def test_a_pod_gets_traffic_while_its_model_is_in_memory_and_at_no_other_time(
    kept: HotPods,
) -> None:
    created = kept.pods.until(lambda _: True).at
    hot = kept.until_ready()
    pod = kept.pod()
    assert kept.until_hot() < hot
    assert {"Pulling", "Loading"} < set(kept.reasons(name_of(pod)))

    time.sleep(SETTLED_SECONDS)
    killed = time.monotonic()
    os.kill(runner_of(pod), signal.SIGKILL)
    shut = kept.until_not_ready(name_of(pod), since=killed)
    again = kept.until_ready(since=shut)
    _log.info("pod created: traffic after %.2f s", hot - created)
    _log.info("kill -9: no traffic after %.3f s, again after %.2f s", shut - killed, again - killed)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 0}


def test_an_end_of_the_sidecar_costs_traffic_and_no_load(kept: HotPods) -> None:
    kept.until_ready()
    pod = kept.pod()
    runner, sidecar = runner_of(pod), sidecar_of(pod)
    assert pods.capabilities(sidecar) == 0
    assert pods.has_read_only_root(sidecar)
    _log.info("resident: %.1f MiB", pods.resident_bytes(sidecar) / MIB)

    killed = time.monotonic()
    os.kill(sidecar, signal.SIGKILL)
    shut = kept.until_not_ready(name_of(pod), since=killed)
    again = kept.until_ready(since=shut)
    _log.info("end: no traffic after %.2f s, again after %.2f s", shut - killed, again - killed)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 1}
    assert runner_of(pod) == runner


@pytest.mark.slow
def test_a_hung_sidecar_is_started_again_and_ollama_is_left_alone(kept: HotPods) -> None:
    kept.until_ready()
    pod = kept.pod()
    runner = runner_of(pod)
    stopped = time.monotonic()
    os.kill(sidecar_of(pod), signal.SIGSTOP)
    shut = kept.until_not_ready(name_of(pod), since=stopped)
    again = kept.until_ready(since=shut)
    _log.info("hang: no traffic after %.2f s, again after %.2f s", shut - stopped, again - stopped)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 1}
    assert runner_of(pod) == runner


@pytest.mark.slow
@pytest.mark.p(32)
def test_a_stopped_runner_is_replaced_and_ollama_goes_on(kept: HotPods) -> None:
    kept.until_ready()
    pod = kept.pod()
    server, runner = server_of(pod), runner_of(pod)
    with kept.asking("hi", options=LONG) as answer:
        next(answer)
        stopped = time.monotonic()
        os.kill(runner, signal.SIGSTOP)
        shut = kept.until_shut(since=stopped)
        hot = kept.until_hot(since=shut)
    _log.info("stop: gate shut after %.2f s, hot after %.2f s", shut - stopped, hot - stopped)
    assert restarts(kept.pod()) == {"ollama": 0, "sidecar": 0}
    assert server_of(pod) == server
    assert runner_of(pod) != runner


@pytest.mark.slow
def test_a_stopped_server_is_started_again(kept: HotPods) -> None:
    kept.until_ready()
    pod = kept.pod()
    stopped = time.monotonic()
    os.kill(server_of(pod), signal.SIGSTOP)
    shut = kept.until_shut(since=stopped)
    hot = kept.until_hot(since=shut)
    _log.info("stop: gate shut after %.2f s, hot after %.2f s", shut - stopped, hot - stopped)
    assert "ServerStopped" in kept.reasons(name_of(pod))
    kept.namespace.wait_for(lambda: assert_restarted(kept, ollama=1, sidecar=0))


def assert_restarted(pods: HotPods, **times: int) -> None:
    """The kubelet tells of it a moment after it has done it."""
    assert restarts(pods.pod()) == times
