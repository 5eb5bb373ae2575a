"""Who reaches a pod under its network policy: Ollama itself asks nobody for a password (P41)."""

from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from bed import images, lifecycle, policies
from bed.cluster import Cluster, Namespace, wait_for
from bed.layout import Bed
from cluster.hot_pods import HotPods, hot_pods
from cluster.operator.installation import fresh_namespace
from stoker_api.wire import OLLAMA_PORT, SIDECAR_PORT
from stoker_operator.desired import NetworkPolicySettings
from stoker_operator.desired.surroundings import LABEL_CLIENT_NAMESPACE

pytestmark = pytest.mark.slow  # it compiles what enforces policies

CLIENT = "client"

# Opens a connection, and says what came of it.
CONNECT = """
import socket, sys
try:
    socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=2).close()
except OSError as error:
    print("no:", error)
else:
    print("yes")
"""

PORTS = {"Ollama": OLLAMA_PORT, "the sidecar": SIDECAR_PORT}

REACHED: dict[str, set[str]] = {
    "its own namespace": {"Ollama"},
    "a namespace that may use it": {"Ollama"},
    "the operator": {"the sidecar"},
    "monitoring": {"the sidecar"},
    "any other namespace": set(),
}


@dataclass(frozen=True)
class Scene:
    """A hot pod under its policy, and a pod in each kind of namespace around it."""

    kept: HotPods
    places: dict[str, Namespace]

    def reached(self, place: str) -> set[str]:
        """What a pod there can connect to."""
        address = self.kept.pod()["status"]["podIP"]
        namespace = self.places[place]
        said = {
            what: namespace.execute(CLIENT, "python3", "-c", CONNECT, address, str(port))
            for what, port in PORTS.items()
        }
        return {what for what, words in said.items() if words.startswith("yes")}


@pytest.fixture(scope="module")
def scene(bed: Bed, cluster: Cluster, python_image: str) -> Iterator[Scene]:
    simulator = images.project_image("simulator")
    lifecycle.provide(bed, simulator)
    policies.enforce(bed)
    server = {
        "image": simulator.tag,
        "env": [{"name": "STOKER_SIMULATOR", "value": "--model phi3:mini"}],
    }
    with ExitStack() as stack:
        names = ("models", "clients", "operator", "monitoring", "others")
        spaces = [stack.enter_context(fresh_namespace(cluster, name)) for name in names]
        own, clients, operator, monitoring, _ = spaces
        cluster.kubectl("label", "namespace", clients.name, f"{LABEL_CLIENT_NAMESPACE}=true")
        policy = NetworkPolicySettings(operator.name, monitoring.name)
        kept = stack.enter_context(
            hot_pods(bed, own, {"model": "phi3:mini", "server": server}, policy)
        )
        for namespace in spaces:
            namespace.apply(client(python_image))
        for namespace in spaces:
            namespace.kubectl("wait", "--for=condition=Ready", f"pod/{CLIENT}", "--timeout=60s")
        # The kubelet's probes and the sidecar's look at its own address come through as well.
        kept.until_ready()
        yield Scene(kept, dict(zip(REACHED, spaces, strict=True)))


@pytest.mark.parametrize("place", REACHED)
def test_a_pod_is_reached_by_those_who_need_to(scene: Scene, place: str) -> None:
    def as_told() -> None:
        assert scene.reached(place) == REACHED[place]

    wait_for(as_told, seconds=20)  # a policy needs a moment


def client(image: str) -> dict[str, object]:
    """A pod that waits to be asked to look."""
    container = {
        "name": "python",
        "image": image,
        "command": ["sleep", "infinity"],
        "securityContext": {
            "allowPrivilegeEscalation": False,
            "capabilities": {"drop": ["ALL"]},
        },
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": CLIENT},
        "spec": {
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 65532,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "terminationGracePeriodSeconds": 0,
            "containers": [container],
        },
    }
