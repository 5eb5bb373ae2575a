"""The bed is a real cluster: its nodes, its names, its routes."""

import json
import time

import pytest

from bed import images, lifecycle, machine, models, ollama, registry
from bed.cluster import Cluster, Manifest, Namespace, wait_for
from bed.layout import Bed

CLIENT = """
apiVersion: v1
kind: Pod
metadata: {{name: client}}
spec:
  terminationGracePeriodSeconds: 0
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: client
    image: {image}
    command: [sleep, infinity]
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""

WEB = """
apiVersion: apps/v1
kind: Deployment
metadata: {{name: web}}
spec:
  replicas: {replicas}
  selector: {{matchLabels: {{app: web}}}}
  template:
    metadata: {{labels: {{app: web}}}}
    spec:
      terminationGracePeriodSeconds: 0
      readinessGates: {gates}
      securityContext:
        {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
      topologySpreadConstraints:
      - maxSkew: 1
        topologyKey: kubernetes.io/hostname
        whenUnsatisfiable: DoNotSchedule
        labelSelector: {{matchLabels: {{app: web}}}}
      containers:
      - name: web
        image: {image}
        command: [sh, -c, "cd /tmp && hostname >index.html && exec python3 -m http.server 8080"]
        readinessProbe: {{httpGet: {{port: 8080, path: /}}, periodSeconds: 1}}
        securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
---
apiVersion: v1
kind: Service
metadata: {{name: web}}
spec: {{selector: {{app: web}}, ports: [{{port: 80, targetPort: 8080}}]}}
"""

PROGRAM = """
apiVersion: v1
kind: Pod
metadata: {{name: {name}}}
spec:
  restartPolicy: Never
  terminationGracePeriodSeconds: 0
  securityContext: {{runAsNonRoot: true, runAsUser: 1000, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: {name}
    image: {image}
    args: [{argument}]
    env: [{{name: HOME, value: /tmp}}]
    securityContext: {{allowPrivilegeEscalation: false, capabilities: {{drop: [ALL]}}}}
"""


def test_every_node_is_ready(cluster: Cluster) -> None:
    nodes = json.loads(cluster.kubectl("get", "nodes", "--output=json"))["items"]
    assert nodes
    assert {_status_of("Ready", node) for node in nodes} == {"True"}


def test_cluster_dns_answers_in_a_pod(namespace: Namespace, python_image: str) -> None:
    _start_client(namespace, python_image)
    script = "import socket; print(socket.gethostbyname('kubernetes.default'))"
    kubernetes = json.loads(
        namespace.cluster.kubectl("get", "service", "kubernetes", "--output=json")
    )
    answer = namespace.execute("client", "python3", "-c", script)
    assert answer.strip() == kubernetes["spec"]["clusterIP"]


def test_a_service_routes_to_every_pod(namespace: Namespace, python_image: str) -> None:
    namespace.apply(WEB.format(image=python_image, replicas=2, gates=[]))
    _start_client(namespace, python_image)
    pods = {pod["metadata"]["name"] for pod in namespace.list("pods", "app=web")}
    assert len(pods) == 2
    namespace.wait_for(lambda: _assert_ready_endpoints(namespace, pods))

    def every_pod_answered() -> None:
        assert _answers(namespace, requests=20) == pods

    namespace.wait_for(every_pod_answered)


def test_a_readiness_gate_decides_about_the_endpoint(
    namespace: Namespace, python_image: str
) -> None:
    gates = json.dumps([{"conditionType": "stoker.dev/hot"}])
    namespace.apply(WEB.format(image=python_image, replicas=1, gates=gates))
    name = namespace.wait_for(lambda: _running_pod(namespace))
    namespace.wait_for(lambda: _assert_ready_endpoints(namespace, set()))
    _set_gate(namespace, name, "True")
    namespace.wait_for(lambda: _assert_ready_endpoints(namespace, {name}))
    _set_gate(namespace, name, "False")
    namespace.wait_for(lambda: _assert_ready_endpoints(namespace, set()))


def test_the_image_of_the_operator_runs_under_the_restricted_rules(
    bed: Bed, namespace: Namespace
) -> None:
    image = images.project_image("operator")
    lifecycle.provide(bed, image)
    namespace.apply(PROGRAM.format(name="operator", image=image.tag, argument="--help"))
    namespace.wait_for(lambda: _assert_phase(namespace, "operator", "Succeeded"))
    assert "usage: stoker" in namespace.kubectl("logs", "operator")


def test_ollama_in_a_pod_pulls_from_a_registry_of_the_test(bed: Bed, namespace: Namespace) -> None:
    _start_ollama(bed, namespace)
    with registry.running(machine.listen(bed.control_plane)) as source:
        name = source.put("tiny", models.tiny())
        namespace.execute("ollama", "ollama", "pull", "--insecure", name)
    assert name in namespace.execute("ollama", "ollama", "list")


@pytest.mark.slow
def test_a_node_that_is_cut_off_is_noticed_and_comes_back(bed: Bed, cluster: Cluster) -> None:
    node = bed.nodes()[-1]

    def assert_ready(status: str) -> None:
        assert _status_of("Ready", cluster.get("node", node.name)) == status

    machine.unplug(node)
    try:
        # The controller manager gives a node 50 s before it calls it lost.
        wait_for(lambda: assert_ready("Unknown"), seconds=90)
    finally:
        machine.plug(node)
    wait_for(lambda: assert_ready("True"), seconds=60)


def test_a_bed_that_is_up_says_so_in_under_a_second(bed: Bed) -> None:
    start = time.monotonic()
    assert not lifecycle.up(bed, nodes=1)
    assert time.monotonic() - start < 1


def _start_client(namespace: Namespace, image: str) -> None:
    namespace.apply(CLIENT.format(image=image))
    namespace.wait_for(lambda: _assert_phase(namespace, "client", "Running"))


def _start_ollama(bed: Bed, namespace: Namespace) -> None:
    image = images.ollama_image(ollama.ollama_program(), ollama.VERSION)
    lifecycle.provide(bed, image)
    namespace.apply(PROGRAM.format(name="ollama", image=image.tag, argument="serve"))

    def serves() -> None:
        answer = namespace.execute("ollama", "ollama", "--version")
        assert answer.strip() == f"ollama version is {ollama.VERSION}"

    namespace.wait_for(serves)


def _answers(namespace: Namespace, requests: int) -> set[str]:
    """The names of the pods that answered when the Service was asked."""
    script = (
        "import urllib.request\n"
        f"for _ in range({requests}):\n"
        "  print(urllib.request.urlopen('http://web/', timeout=5).read().decode().strip())"
    )
    return set(namespace.execute("client", "python3", "-c", script).split())


def _assert_ready_endpoints(namespace: Namespace, pods: set[str]) -> None:
    slices = namespace.list("endpointslices", "kubernetes.io/service-name=web")
    endpoints = [endpoint for found in slices for endpoint in found["endpoints"] or []]
    ready = {each["targetRef"]["name"] for each in endpoints if each["conditions"]["ready"]}
    assert ready == pods


def _running_pod(namespace: Namespace) -> str:
    """The name of the only web pod, once its containers are ready."""
    (pod,) = namespace.list("pods", "app=web") or [{}]
    assert _status_of("ContainersReady", pod) == "True"
    name: str = pod["metadata"]["name"]
    return name


def _set_gate(namespace: Namespace, pod: str, status: str) -> None:
    condition = {"type": "stoker.dev/hot", "status": status}
    namespace.patch_status("pod", pod, {"conditions": [condition]})


def _assert_phase(namespace: Namespace, pod: str, phase: str) -> None:
    assert namespace.get("pod", pod)["status"]["phase"] == phase


def _status_of(condition: str, found: Manifest) -> str:
    """The status of a condition of an object: True, False or Unknown; empty where it has none."""
    conditions = found.get("status", {}).get("conditions", [])
    return next((each["status"] for each in conditions if each["type"] == condition), "")
