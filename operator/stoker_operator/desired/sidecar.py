"""The sidecar container."""

from stoker_api import wire
from stoker_api.resource import LLMDeployment
from stoker_api.spec import Spec
from stoker_operator.desired.identity import Manifest
from stoker_operator.desired.ollama import HANDS_VOLUME
from stoker_operator.desired.security import SIDECAR_USER, container_security
from stoker_operator.desired.settings import Settings
from stoker_operator.desired.tuning import threads

CONTAINER_NAME = "sidecar"
PORT_NAME = "stoker"
HEAT_VOLUME = "heat"
TOKEN_VOLUME = "token"  # noqa: S105 - a volume's name
TOKEN_DIRECTORY = "/var/run/secrets/kubernetes.io/serviceaccount"  # noqa: S105 - a path

_POD_FACTS = {
    "NODE_NAME": "spec.nodeName",
    "POD_IP": "status.podIP",
    "POD_NAME": "metadata.name",
    "POD_NAMESPACE": "metadata.namespace",
    "POD_UID": "metadata.uid",
}


def sidecar_container(resource: LLMDeployment, settings: Settings) -> Manifest:
    """A native sidecar: it is there before Ollama starts and after it has gone."""
    spec = resource.spec
    return {
        "name": CONTAINER_NAME,
        "image": spec.sidecar.image or settings.sidecar_image,
        "imagePullPolicy": "IfNotPresent",
        "restartPolicy": "Always",
        "args": ["run", *arguments(spec).to_flags()],
        "env": _environment(spec),
        "ports": [{"name": PORT_NAME, "containerPort": wire.SIDECAR_PORT, "protocol": "TCP"}],
        # The pull half of the gate: it holds when the sidecar or its way to the API server is
        # gone. Two misses, because a node at its limits answers late.
        "readinessProbe": _probe(wire.READY_PATH, every=1, failures=2),
        # A sidecar that hangs heeds no SIGTERM, and has nothing to drain: it need not be given the
        # pod's grace period.
        "livenessProbe": _probe(wire.LIVE_PATH, every=10, failures=3)
        | {"terminationGracePeriodSeconds": 5},
        "resources": {
            key: amounts for key, amounts in spec.sidecar.resources.as_json().items() if amounts
        },
        "securityContext": container_security(SIDECAR_USER),
        "volumeMounts": [
            # The whole directory: a single file mounted by subPath would never be updated.
            {"name": HEAT_VOLUME, "mountPath": wire.HEAT_DIRECTORY, "readOnly": True},
            # Read-only is enough to write into the FIFO that lies there.
            {"name": HANDS_VOLUME, "mountPath": wire.HANDS_DIRECTORY, "readOnly": True},
            {"name": TOKEN_VOLUME, "mountPath": TOKEN_DIRECTORY, "readOnly": True},
        ],
    }


def arguments(spec: Spec) -> wire.Arguments:
    """What the pod is made for, as its sidecar is told."""
    return wire.Arguments(
        model=str(spec.model),
        digest=spec.digest,
        context_length=spec.options.context_length,
        parallel=spec.options.parallel,
        batch=spec.options.batch,
        threads=threads(spec),
        gpus=spec.gpu.count if spec.gpu else 0,
        pull_policy=wire.PullPolicy(spec.storage.pull_policy),
        insecure_registry=spec.storage.insecure_registry,
        drain_timeout_seconds=spec.routing.drain_timeout.total_seconds(),
    )


def token_volume() -> Manifest:
    """What Kubernetes mounts into every container by itself, as a volume for one of them."""
    return {
        "name": TOKEN_VOLUME,
        "projected": {
            "defaultMode": 0o440,
            "sources": [
                {"serviceAccountToken": {"path": "token", "expirationSeconds": 3607}},
                {
                    "configMap": {
                        "name": "kube-root-ca.crt",
                        "items": [{"key": "ca.crt", "path": "ca.crt"}],
                    }
                },
            ],
        },
    }


def _environment(spec: Spec) -> list[Manifest]:
    facts = [
        {"name": name, "valueFrom": {"fieldRef": {"apiVersion": "v1", "fieldPath": path}}}
        for name, path in _POD_FACTS.items()
    ]
    return facts + [{"name": name, "value": value} for name, value in _nvidia(spec).items()]


def _nvidia(spec: Spec) -> dict[str, str]:
    """Sight of the node's GPUs for NVML, without taking one from the scheduler."""
    if not (spec.gpu and spec.uses_gpu and spec.gpu.is_nvidia):
        return {}
    return {"NVIDIA_VISIBLE_DEVICES": "all", "NVIDIA_DRIVER_CAPABILITIES": "utility"}


def _probe(path: str, *, every: int, failures: int) -> Manifest:
    return {
        "httpGet": {"path": path, "port": PORT_NAME, "scheme": "HTTP"},
        "periodSeconds": every,
        "timeoutSeconds": 2,
        "failureThreshold": failures,
    }
