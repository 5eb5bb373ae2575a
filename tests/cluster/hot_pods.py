"""Pods that keep a model hot, made from what `stoker render` makes, and what becomes of them."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from bed import images, lifecycle, machine, pods
from bed.cluster import Manifest, Namespace
from bed.layout import Bed
from bed.watching import Watch, watching
from stoker_api.reading import read
from stoker_api.resource import API_VERSION, KIND
from stoker_api.wire import LABEL_LLMDEPLOYMENT, SIDECAR_PORT, HotCondition
from stoker_operator.desired import NetworkPolicySettings, Settings, desired
from support.charts import sidecar_rights, sidecar_role

NAME = "kept"
"""Of the LLMDeployment, its Deployment and its Service."""

HOT_SECONDS = 180
"""The longest that any way to heat may take here, on a machine that does other things as well."""

# Sends a request and prints the answer, line by line, as it comes. kube-proxy refuses it until it
# has followed the EndpointSlice.
ASK = """
import sys, time, urllib.request
url, body = sys.argv[1:]
question = urllib.request.Request(url, body.encode())
for attempt in range(50):
    try:
        answer = urllib.request.urlopen(question, timeout=300)
        break
    except OSError as error:
        if attempt == 49 or "refused" not in str(error):
            raise
        time.sleep(0.1)
for line in answer:
    print(line.decode().strip(), flush=True)
"""


@dataclass(frozen=True)
class HotPods:
    """The pods of one LLMDeployment, and a record of what the API server told of them."""

    bed: Bed
    namespace: Namespace
    model: str
    pods: Watch
    slices: Watch

    def pod(self) -> dict[str, Any]:
        """The only pod that is not on its way out."""
        found = self.namespace.list("pods", f"{LABEL_LLMDEPLOYMENT}={NAME}")
        (pod,) = (each for each in found if "deletionTimestamp" not in each["metadata"])
        return pod

    def until_ready(self, *, since: float = 0.0) -> float:
        """When, from then on, a pod got traffic first: it is in the slice."""
        __tracebackhide__ = True
        change = self.slices.until(
            lambda found: bool(ready(found)), since=since, seconds=HOT_SECONDS
        )
        return change.at

    def until_not_ready(self, pod: str, *, since: float) -> float:
        """When, from then on, this pod got none first."""
        __tracebackhide__ = True
        return self.slices.until(lambda found: pod not in ready(found), since=since).at

    def until_hot(self, *, since: float = 0.0) -> float:
        """When, from then on, a pod's gate was open first."""
        __tracebackhide__ = True
        return self.pods.until(is_open, since=since, seconds=HOT_SECONDS).at

    def until_shut(self, *, since: float) -> float:
        """When, from then on, a pod's gate was shut first."""
        __tracebackhide__ = True
        return self.pods.until(lambda pod: not is_open(pod), since=since).at

    def reasons(self, pod: str) -> list[str]:
        """What this pod's gate said, in order, without repetitions."""
        found = [change.found for change in list(self.pods.changes)]
        gates = [gate_of(each) for each in found if name_of(each) == pod]
        return [reason for reason, _ in groupby(gate.reason for gate in gates if gate)]

    def see(self, pod: str, path: str) -> str:
        """What the sidecar answers to a stranger."""
        place = f"/api/v1/namespaces/{self.namespace.name}/pods/{pod}:{SIDECAR_PORT}/proxy{path}"
        return self.namespace.kubectl("get", "--raw", place)

    def status(self, pod: str) -> dict[str, Any]:
        return dict(json.loads(self.see(pod, "/status")))

    @contextmanager
    def asking(self, prompt: str, **body: Any) -> Iterator[Iterator[dict[str, Any]]]:
        """The lines of an answer that is asked for through the Service, as they come."""
        address = self.namespace.get("service", NAME)["spec"]["clusterIP"]
        arguments = [sys.executable, "-c", ASK, f"http://{address}:11434/api/generate"]
        question = json.dumps({"model": self.model, "prompt": prompt, **body})
        command = machine.inside(self.bed.nodes()[0], [*arguments, question])
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as client:
            assert client.stdout
            try:
                yield map(json.loads, client.stdout)
            finally:
                client.kill()


@contextmanager
def hot_pods(
    bed: Bed, namespace: Namespace, spec: Manifest, policy: NetworkPolicySettings | None = None
) -> Iterator[HotPods]:
    """The objects of an LLMDeployment with this spec, applied by hand."""
    sidecar = images.project_image("sidecar")
    lifecycle.provide(bed, sidecar)
    metadata = {"name": NAME, "namespace": namespace.name}
    document = {"apiVersion": API_VERSION, "kind": KIND, "metadata": metadata, "spec": spec}
    settings = Settings(sidecar.tag, sidecar_cluster_role=sidecar_role(), network_policy=policy)
    with ExitStack() as stack:
        watches = [
            stack.enter_context(watching(namespace, kind)) for kind in ("pods", "endpointslices")
        ]
        namespace.apply(*sidecar_rights(), *desired(read(document), settings))
        yield HotPods(bed, namespace, spec["model"], *watches)


def name_of(found: Manifest) -> str:
    return str(found["metadata"]["name"])


def gate_of(pod: Manifest) -> HotCondition | None:
    """What the pod's gate says."""
    return HotCondition.of(pod["status"].get("conditions", []))


def is_open(pod: Manifest) -> bool:
    gate = gate_of(pod)
    return gate is not None and gate.hot


def ready(endpoint_slice: Manifest) -> set[str]:
    """The pods that get traffic."""
    endpoints = endpoint_slice["endpoints"] or []
    return {each["targetRef"]["name"] for each in endpoints if each["conditions"]["ready"]}


def restarts(pod: Manifest) -> dict[str, int]:
    """How often each container was started again."""
    status = pod["status"]
    containers = status["initContainerStatuses"] + status["containerStatuses"]
    return {each["name"]: each["restartCount"] for each in containers}


def runner_of(pod: Manifest) -> int:
    """The process that holds the model; it ends only when somebody ends it."""
    return _process(pod, "ollama", "runner")


def server_of(pod: Manifest) -> int:
    return _process(pod, "ollama", "serve")


def sidecar_of(pod: Manifest) -> int:
    return _process(pod, "stoker-sidecar", "run")


def _process(pod: Manifest, *words: str) -> int:
    found = pods.processes(pod["metadata"]["uid"])
    matching = [pid for pid, line in found.items() if _says(line, words)]
    assert len(matching) == 1, f"{' '.join(words)}: {found}"
    return matching[0]


def _says(line: list[str], words: tuple[str, ...]) -> bool:
    """Whether a command line has these words in a row, whatever folders the programs are in."""
    names = [word.rpartition("/")[2] for word in line]
    return any(tuple(names[start : start + len(words)]) == words for start in range(2))
