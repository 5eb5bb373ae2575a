"""The simulator's image: an Ollama in a pod, where there is no GPU and no model."""

import json
from typing import Any

import pytest

from bed import images, lifecycle
from bed.cluster import Manifest, Namespace
from bed.layout import Bed
from stoker_api.reading import read
from stoker_api.wire import HANDS_DIRECTORY, HANDS_FIFO
from stoker_operator.desired import Settings, desired

OPTIONS = "--model phi3:mini --gpu-memory 24GiB --speed 100 --control-port 11435"

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: simulator, labels: {{app: simulator}}}}
spec:
  terminationGracePeriodSeconds: 5
  securityContext:
    {{runAsNonRoot: true, runAsUser: 10001, seccompProfile: {{type: RuntimeDefault}}}}
  containers:
  - name: simulator
    image: {image}
    env: [{{name: STOKER_SIMULATOR, value: {options}}}]
    readinessProbe: {{httpGet: {{port: 11434, path: /}}, periodSeconds: 1}}
    securityContext:
      readOnlyRootFilesystem: true
      allowPrivilegeEscalation: false
      capabilities: {{drop: [ALL]}}
    volumeMounts: [{{name: scratch, mountPath: /tmp}}]
  volumes: [{{name: scratch, emptyDir: {{}}}}]
---
apiVersion: v1
kind: Service
metadata: {{name: simulator}}
spec: {{selector: {{app: simulator}}, ports: [{{port: 11434}}]}}
"""

# Prints the answer to a request, asked from inside a pod.
ASK = """
import sys, urllib.request
url, body = sys.argv[1:]
print(urllib.request.urlopen(url, body.encode() or None, timeout=20).read().decode())
"""

# Prints the command lines of all processes that can be seen from inside a pod.
SEE = """
import json, pathlib
lines = pathlib.Path('/proc').glob('[0-9]*/cmdline')
print(json.dumps({line.parent.name: line.read_text().split('\\0') for line in lines}))
"""


@pytest.fixture
def image(bed: Bed) -> str:
    """The image, on every node."""
    built = images.project_image("simulator")
    lifecycle.provide(bed, built)
    return built.tag


def test_it_answers_through_a_service_under_the_restricted_rules(
    namespace: Namespace, image: str
) -> None:
    namespace.apply(POD.format(image=image, options=json.dumps(OPTIONS)))

    def answers() -> Manifest:
        return ask(namespace, "simulator", "http://simulator:11434", "generate", **three_words())

    assert len(namespace.wait_for(answers, seconds=60)["response"].split()) == 3
    (runner,) = ask(namespace, "simulator", "http://localhost:11435", "state")["runners"]
    assert ask(namespace, "simulator", "http://localhost:11434", "ps")["models"]
    assert commands(namespace, "simulator")[runner["pid"]][:2] == ["ollama", "runner"]


def test_a_rendered_pod_runs_it_in_the_place_of_ollama(
    namespace: Namespace, image: str, python_image: str
) -> None:
    namespace.apply(*rendered(namespace, image, python_image))

    def pod() -> str:
        (found,) = namespace.list("pods", "stoker.dev/llmdeployment=phi3")
        assert found["status"]["phase"] == "Running"
        return str(found["metadata"]["name"])

    name = namespace.wait_for(pod, seconds=60)

    def answer() -> Manifest:
        return ask(namespace, name, "http://localhost:11434", "generate", **three_words())

    assert namespace.wait_for(answer)["done_reason"] == "length"
    seen = [command[:2] for command in commands(namespace, name).values()]
    assert ["ollama", "serve"] in seen
    assert ["ollama", "runner"] in seen

    # The sidecar's hand ends it as it ends Ollama.
    fifo = f"{HANDS_DIRECTORY}/{HANDS_FIFO}"
    namespace.execute(name, "sh", "-c", f"echo restart >{fifo}")

    def started_again() -> None:
        statuses = namespace.get("pod", name)["status"]["containerStatuses"]
        assert [status["restartCount"] for status in statuses] == [1]
        assert ask(namespace, name, "http://localhost:11434", "ps")["models"] == []

    namespace.wait_for(started_again)


def three_words() -> dict[str, Any]:
    return {"model": "phi3:mini", "prompt": "hi", "stream": False, "options": {"num_predict": 3}}


def rendered(namespace: Namespace, image: str, python_image: str) -> list[dict[str, Any]]:
    """What `stoker render` makes, with a sidecar that only looks on."""
    spec = {
        "model": "phi3:mini",
        "server": {"image": image, "env": [{"name": "STOKER_SIMULATOR", "value": OPTIONS}]},
    }
    metadata = {"name": "phi3", "namespace": namespace.name}
    document = {"apiVersion": "stoker.dev/v1alpha1", "kind": "LLMDeployment", "spec": spec}
    objects = desired(read({**document, "metadata": metadata}), Settings(python_image))
    (deployment,) = (each for each in objects if each["kind"] == "Deployment")
    (sidecar,) = deployment["spec"]["template"]["spec"]["initContainers"]
    del sidecar["args"], sidecar["readinessProbe"], sidecar["livenessProbe"]
    sidecar["command"] = ["sleep", "infinity"]
    return objects


def ask(namespace: Namespace, pod: str, base_url: str, what: str, **body: Any) -> Manifest:
    """The answer of Ollama's API, or of the control port, to a request from inside the pod."""
    path = what if what == "state" else f"api/{what}"
    content = json.dumps(body) if body else ""
    answer = namespace.execute(pod, "python3", "-c", ASK, f"{base_url}/{path}", content)
    found: Manifest = json.loads(answer)
    return found


def commands(namespace: Namespace, pod: str) -> dict[int, list[str]]:
    """The command lines of all processes that the pod's main container sees, by id."""
    seen: dict[str, list[str]] = json.loads(namespace.execute(pod, "python3", "-c", SEE))
    return {
        int(pid): [program.rpartition("/")[2], *arguments]
        for pid, (program, *arguments) in seen.items()
    }
