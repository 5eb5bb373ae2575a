"""The ollama container."""

from stoker_api import durations
from stoker_api.resource import LLMDeployment
from stoker_api.scalars import FOREVER
from stoker_api.spec import Spec
from stoker_api.wire import DRAIN_PATH, HANDS_DIRECTORY, OLLAMA_PORT, SIDECAR_PORT
from stoker_operator.desired.entry import HANDS_VARIABLE, SCRIPT
from stoker_operator.desired.identity import Manifest
from stoker_operator.desired.security import OLLAMA_USER, container_security
from stoker_operator.desired.service import OLLAMA_PORT_NAME

MODELS_DIRECTORY = "/models"
SCRATCH_DIRECTORY = "/tmp"  # noqa: S108 - a path in the container, on a volume of its own

MODELS_VOLUME = "models"
SCRATCH_VOLUME = "scratch"
HANDS_VOLUME = "hands"


def ollama_container(resource: LLMDeployment) -> Manifest:
    """Ollama from its unmodified image, as an ordinary user on a read-only root.

    It has no probe: whether it is alive is the sidecar's to find out, and a dead sidecar must not
    kill a healthy Ollama.
    """
    spec = resource.spec
    return {
        "name": "ollama",
        "image": spec.server.image,
        "imagePullPolicy": "IfNotPresent",
        "command": ["/bin/sh", "-uc", SCRIPT],
        "env": [{"name": name, "value": value} for name, value in _environment(spec).items()],
        "ports": [{"name": OLLAMA_PORT_NAME, "containerPort": OLLAMA_PORT, "protocol": "TCP"}],
        "lifecycle": {
            # The sidecar outlives Ollama on the way out, so this is how it learns of leaving.
            "preStop": {"httpGet": {"path": DRAIN_PATH, "port": SIDECAR_PORT, "scheme": "HTTP"}}
        },
        "resources": _resources(spec),
        "securityContext": container_security(OLLAMA_USER),
        "volumeMounts": [
            {
                "name": MODELS_VOLUME,
                "mountPath": MODELS_DIRECTORY,
                **({"readOnly": True} if spec.storage.read_only else {}),
            },
            {"name": SCRATCH_VOLUME, "mountPath": SCRATCH_DIRECTORY},
            {"name": HANDS_VOLUME, "mountPath": HANDS_DIRECTORY},
        ],
    }


def _environment(spec: Spec) -> dict[str, str]:
    """Ollama's environment: the spec's own variables, and what the spec's fields decide.

    `OLLAMA_KEEP_ALIVE` is always endless, whatever `keepAlive` says: Ollama falls back to it when
    a request makes it load the model anew (P9). The lease is the sidecar's to keep.
    """
    options = spec.options
    derived: dict[str, str | None] = {
        "HOME": SCRATCH_DIRECTORY,
        "OLLAMA_CONTEXT_LENGTH": _text(options.context_length),
        "OLLAMA_FLASH_ATTENTION": _text(options.flash_attention),
        "OLLAMA_HOST": f":{OLLAMA_PORT}",  # every address of the pod, be it IPv4 or IPv6
        "OLLAMA_KEEP_ALIVE": str(FOREVER),
        "OLLAMA_KV_CACHE_TYPE": options.kv_cache_type,
        "OLLAMA_LOAD_TIMEOUT": durations.render(options.load_timeout),
        "OLLAMA_MAX_LOADED_MODELS": "1",
        "OLLAMA_MAX_QUEUE": str(options.max_queue),
        "OLLAMA_MODELS": MODELS_DIRECTORY,
        # At its start Ollama deletes what no manifest names: on a store that others fill, that
        # may be what they are pulling (P37).
        "OLLAMA_NOPRUNE": "1" if spec.storage.is_shared else None,
        "OLLAMA_NO_CLOUD": "1",
        "OLLAMA_NUM_PARALLEL": str(options.parallel),
        # The official image asks for every GPU, and where NVIDIA's runtime is the nodes' default
        # it gets them, whatever the pod was given.
        "NVIDIA_VISIBLE_DEVICES": None if spec.uses_gpu else "void",
        HANDS_VARIABLE: HANDS_DIRECTORY,
    }
    own = {variable.name: variable.value for variable in spec.server.env}
    return own | {name: value for name, value in derived.items() if value is not None}


def _text(value: int | None) -> str | None:
    """A number, or a switch (1 or 0), as Ollama's environment has it."""
    return None if value is None else str(int(value))


def _resources(spec: Spec) -> Manifest:
    resources = spec.server.resources.as_json()
    if spec.gpu and spec.uses_gpu:
        # A device has a limit; Kubernetes makes the request equal to it.
        devices = {spec.gpu.resource_name: str(spec.gpu.count)}
        resources["limits"] = resources.get("limits", {}) | devices
    return {key: amounts for key, amounts in resources.items() if amounts}
