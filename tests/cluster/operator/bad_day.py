"""A day on which everything goes wrong that dashboards and alerts are about, in some minutes.

Each fault is a real one: a process that is killed or stopped, a right that is taken away, a GPU
that is too small. What follows is waited for where a person would see it: in Prometheus.
"""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bed.cluster import Namespace
from bed.layout import Bed
from cluster.hot_pods import name_of, runner_of, sidecar_of
from cluster.operator.clients import traffic
from cluster.operator.installation import Installation, Operator
from cluster.operator.monitoring import Prometheus
from cluster.operator.resource import Resource
from stoker_api.wire import HEAT_FILE
from support.manifests import Json

GPU = "nvidia.com/gpu.shared"
MODEL = "phi3:mini"
CONTROL = "http://localhost:11435/faults"

HEATING_SECONDS = 240
SOON_SECONDS = 120

# Tells a simulator what is to go wrong, or no more.
INJECT = """
import sys, urllib.request
method, url, body = sys.argv[1:]
urllib.request.urlopen(urllib.request.Request(url, body.encode() or None, method=method))
"""


@dataclass(frozen=True)
class Day:
    """What has happened when, and to whom."""

    namespace: str
    began: float
    evening: float
    """When all has happened that a dashboard shows, and the operator is still there."""
    ended: float

    def values(self, llmdeployment: str) -> dict[str, str]:
        """What Grafana puts for the variables of a dashboard that shows just this day."""
        return {
            "__interval": "2s",
            "__rate_interval": "30s",
            "__range": f"{int(self.evening - self.began)}s",
            "namespace": self.namespace,
            "llmdeployment": llmdeployment,
            "pod": ".+",
        }


@dataclass(frozen=True)
class Cast:
    """Who takes part."""

    bed: Bed
    installation: Installation
    prometheus: Prometheus
    server_image: str
    sidecar_image: str

    @property
    def namespace(self) -> Namespace:
        return self.installation.home

    def resource(self, name: str) -> Resource:
        return Resource(self.namespace, name, self.installation.settings)

    def spec(self, gpu_memory: str, **more: Any) -> Json:
        """A model beside a simulator with a GPU, which NVML measures."""
        options = f"--gpu-memory {gpu_memory} --control-port 11435"
        state = "--nvml-state /run/stoker/nvml.json"
        environment = [{"name": "STOKER_SIMULATOR", "value": f"{options} {state}"}]
        return {
            "model": MODEL,
            "server": {"image": self.server_image, "env": environment},
            "sidecar": {"image": self.sidecar_image},
            "heartbeat": {"canary": {"idleAfter": "2s"}},
        } | more


def bad_day(cast: Cast) -> Day:
    """Lives through it."""
    began = time.time()
    operator = cast.installation.started()
    cast.prometheus.look_at({"operator-0": port_of(operator)})
    chat, tight, wrong = (cast.resource(name) for name in ("chat", "tight", "wrong"))
    morning(cast, chat, tight, wrong)
    losses(cast, chat)
    gpus(cast, tight)
    mistakes(cast, chat, wrong)
    evening = time.time()
    night(cast)
    return Day(cast.namespace.name, began, evening, time.time())


def morning(cast: Cast, chat: Resource, tight: Resource, wrong: Resource) -> None:
    """Two become hot, one of them on a GPU that is too small; three do not."""
    chat.apply(
        cast.spec(
            "24GiB",
            replicas=2,
            keepAlive="20s",
            warmup={"targetFirstToken": "10s"},
            gpu={"count": 1, "resourceName": GPU, "memoryBudget": "20Gi"},
        )
    )
    tight.apply(cast.spec("3GiB", gpu={"count": 1, "resourceName": GPU, "memoryBudget": "1Gi"}))
    wrong.apply(cast.spec("24GiB", digest=f"sha256:{'0' * 64}"))
    cast.resource("slow").apply(cast.spec("64GiB", model="llama3.3:70b"))
    cast.namespace.apply(
        {"apiVersion": "v1", "kind": "Service", "metadata": {"name": "taken"}}
        | {"spec": {"ports": [{"port": 80}]}}
    )
    cast.resource("taken").apply(cast.spec("24GiB", suspend=True))
    find_pods(cast, 5)
    chat.until_hot(2, HEATING_SECONDS)
    tight.until_hot(1, HEATING_SECONDS)
    cast.prometheus.until('stoker_heat_state{state="Blocked"}', HEATING_SECONDS)


def losses(cast: Cast, chat: Resource) -> None:
    """One runner is killed again and again, another is stopped, while clients ask."""
    flapping, other = sorted(chat.pods().values(), key=name_of)
    losses = f'stoker_heat_lost_seconds_count{{pod="{name_of(flapping)}"}}'
    hot = f'stoker_hot{{pod="{name_of(flapping)}"}}'
    with traffic(cast.bed, chat):
        for number in range(1, 5):
            os.kill(runner_of(flapping), signal.SIGKILL)
            cast.prometheus.until(f"{losses} == {number}", SOON_SECONDS)
            cast.prometheus.until(hot, HEATING_SECONDS)
        os.kill(runner_of(other), signal.SIGSTOP)
        cast.prometheus.until(
            f'stoker_recoveries_total{{pod="{name_of(other)}"}} > 0', SOON_SECONDS
        )
    chat.until_hot(2, HEATING_SECONDS)


def gpus(cast: Cast, tight: Resource) -> None:
    """NVML fails for a while; then the only pod is cold for as long as its disk is slow."""
    (pod,) = tight.pods().values()
    name = name_of(pod)
    with fault(cast, name, "nvml", {"fault": "no-permission"}):
        cast.prometheus.until(f'stoker_nvml_errors_total{{pod="{name}"}}', SOON_SECONDS)
    with fault(cast, name, "slow-disk", {"factor": 10}):
        os.kill(runner_of(pod), signal.SIGKILL)
        cast.prometheus.until(
            'namespace_name:stoker_llmdeployment:available{name="tight"} == bool 0', SOON_SECONDS
        )
    cast.prometheus.until(f'stoker_hot{{pod="{name}"}}', HEATING_SECONDS)
    tight.until_hot(1, HEATING_SECONDS)


def mistakes(cast: Cast, chat: Resource, wrong: Resource) -> None:
    """People set what cannot be met, open a gate by hand, and take away what is needed."""
    # Without canaries, which renew it by the way, the lease of 20 s has to be renewed.
    seldom = {"canary": {"idleAfter": "5m"}}
    chat.merge({"spec": {"warmup": {"targetFirstToken": "1ms"}, "heartbeat": seldom}})
    wrong.annotate("stoker.dev/treat-as-hot=true")
    until(cast, chat, "stoker_first_token_target_seconds == 0.001")
    until(cast, wrong, 'stoker_heat_state{reason="TreatedAsHot"}')
    cast.prometheus.until("stoker_keepalive_rearmed_total", SOON_SECONDS)

    chat.annotate("stoker.dev/paused=true")
    chat.until_condition("Progressing", "False", "Paused")
    bad = json.dumps({"data": {HEAT_FILE: "{}"}})
    cast.namespace.kubectl("patch", "configmap", f"{chat.name}-heat", f"--patch={bad}")
    until(cast, chat, "stoker_config_errors_total")

    cast.namespace.kubectl("delete", "service", chat.name)
    chats = f'stoker_route_ok{{stoker_dev_llmdeployment="{chat.name}"}}'
    cast.prometheus.until(f"{chats} == bool 0", SOON_SECONDS)
    cast.namespace.kubectl("delete", "rolebinding", f"{chat.name}-sidecar")
    for pod in chat.pods().values():
        os.kill(runner_of(pod), signal.SIGKILL)
    cast.prometheus.until("stoker_gate_in_step == bool 0", SOON_SECONDS)
    cast.prometheus.until('stoker_gate_writes_total{result="refused"}', SOON_SECONDS)


def night(cast: Cast) -> None:
    """A sidecar falls silent; the operator dies, and its successor before it has begun."""
    (pod,) = cast.resource("slow").pods().values()
    os.kill(sidecar_of(pod), signal.SIGSTOP)
    cast.prometheus.until(f'up{{pod="{name_of(pod)}"}} == bool 0', SOON_SECONDS)
    successor = cast.installation.start()
    first = cast.installation.operators[0]
    cast.namespace.wait_for(lambda: port_of(successor))
    cast.prometheus.look_at({"operator-0": port_of(first), "operator-1": port_of(successor)})
    cast.prometheus.until('stoker_operator_leader{pod="operator-1"} == bool 0', SOON_SECONDS)
    first.kill()
    cast.prometheus.until('ALERTS{alertname="StokerNoLeader"}', SOON_SECONDS)
    successor.kill()
    cast.prometheus.until('ALERTS{alertname="StokerOperatorDown"}', SOON_SECONDS)


def until(cast: Cast, resource: Resource, expression: str) -> None:
    """Returns when it is so; kubelets look at the ConfigMaps now, and not in a minute."""
    for pod in resource.pods().values():
        hurry = f"stoker.dev/test={time.monotonic()}"
        cast.namespace.kubectl("annotate", "--overwrite", "pod", name_of(pod), hurry)
    cast.prometheus.until(expression, SOON_SECONDS)


@contextmanager
def fault(cast: Cast, pod: str, name: str, settings: Json) -> Iterator[None]:
    """A fault of the simulator in a pod, while the block lasts."""

    def tell(method: str, body: str) -> None:
        python = ("python3", "-c", INJECT, method, f"{CONTROL}/{name}", body)
        cast.namespace.kubectl("exec", pod, "--container=ollama", "--", *python)

    tell("POST", json.dumps(settings))
    try:
        yield
    finally:
        tell("DELETE", "")


def find_pods(cast: Cast, number: int) -> None:
    """Has so many pods scraped, as soon as they have addresses."""

    def have_addresses() -> list[Json]:
        found = [pod for pod in cast.namespace.list("pods") if pod["status"].get("podIP")]
        assert len(found) == number
        return found

    cast.prometheus.find_pods(cast.namespace.wait_for(have_addresses, HEATING_SECONDS))


def port_of(operator: Operator) -> int:
    """Where it listens, as it has logged."""
    found = [line["port"] for line in operator.lines() if "port" in line]
    assert found, operator.tail()
    return int(found[-1])
