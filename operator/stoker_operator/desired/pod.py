"""The pod: Ollama, the sidecar beside it, and the gate before both."""

import math

from stoker_api.resource import LLMDeployment
from stoker_api.spec import Spec
from stoker_api.wire import ANNOTATION_RESTART, HOT_CONDITION
from stoker_operator.desired.identity import (
    Manifest,
    heat_name,
    labels,
    selector,
    sidecar_name,
)
from stoker_operator.desired.ollama import (
    HANDS_VOLUME,
    MODELS_VOLUME,
    SCRATCH_VOLUME,
    ollama_container,
)
from stoker_operator.desired.security import pod_security
from stoker_operator.desired.settings import Settings
from stoker_operator.desired.sidecar import HEAT_VOLUME, sidecar_container, token_volume
from stoker_operator.desired.storage import model_volume

_SECONDS_TO_STOP = 15
"""What Ollama and the sidecar get to end in, once the pod is drained."""


def pod_template(resource: LLMDeployment, settings: Settings) -> Manifest:
    """The pod template. What users add comes last, and the API lets it touch nothing above it."""
    added = resource.spec.pod_template
    metadata: Manifest = {"labels": labels(resource) | added.labels}
    restart = {ANNOTATION_RESTART: resource.restart} if resource.restart else {}
    if annotations := added.annotations | restart:
        metadata["annotations"] = annotations
    return {
        "metadata": metadata,
        "spec": _pod_spec(resource, settings) | _placement(resource),
    }


def _pod_spec(resource: LLMDeployment, settings: Settings) -> Manifest:
    spec = resource.spec
    pod = {
        "readinessGates": [{"conditionType": HOT_CONDITION}],
        "serviceAccountName": sidecar_name(resource),
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "shareProcessNamespace": True,
        "terminationGracePeriodSeconds": _grace_seconds(spec),
        "securityContext": pod_security(),
        "initContainers": [sidecar_container(resource, settings)],
        "containers": [ollama_container(resource)],
        "volumes": _volumes(resource),
    }
    if spec.gpu and spec.gpu.runtime_class_name:
        pod["runtimeClassName"] = spec.gpu.runtime_class_name
    return pod


def _grace_seconds(spec: Spec) -> int:
    return math.ceil(spec.routing.drain_timeout.total_seconds()) + _SECONDS_TO_STOP


def _volumes(resource: LLMDeployment) -> list[Manifest]:
    return [
        {"name": MODELS_VOLUME, **model_volume(resource)},
        {"name": SCRATCH_VOLUME, "emptyDir": {"sizeLimit": "1Gi"}},
        {"name": HANDS_VOLUME, "emptyDir": {"medium": "Memory", "sizeLimit": "1Mi"}},
        {"name": HEAT_VOLUME, "configMap": {"name": heat_name(resource), "defaultMode": 0o440}},
        token_volume(),
    ]


def _placement(resource: LLMDeployment) -> Manifest:
    """Where the pod may run, from what the spec asks for and from what its GPUs imply."""
    wanted = resource.spec.pod_template.as_json()
    placement = {
        "nodeSelector": wanted.get("nodeSelector"),
        "tolerations": _gpu_tolerations(resource.spec) + wanted.get("tolerations", []),
        "affinity": wanted.get("affinity"),
        "topologySpreadConstraints": [
            constraint
            | {
                "labelSelector": {"matchLabels": selector(resource)},
                "matchLabelKeys": ["pod-template-hash"],  # a roll-out's two revisions apart
            }
            for constraint in wanted.get("topologySpreadConstraints", [])
        ],
        "priorityClassName": wanted.get("priorityClassName"),
        "imagePullSecrets": wanted.get("imagePullSecrets"),
    }
    return {key: value for key, value in placement.items() if value}


def _gpu_tolerations(spec: Spec) -> list[Manifest]:
    """Nodes with GPUs are commonly tainted with the resource's name, to keep others away."""
    if not (spec.gpu and spec.uses_gpu):
        return []
    return [{"key": spec.gpu.resource_name, "operator": "Exists", "effect": "NoSchedule"}]
