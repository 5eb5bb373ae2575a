"""What of an LLMDeployment has no effect on one machine, in sentences. Pure.

What is harmless is not mentioned: labels, a service account, a disruption budget. What somebody may
rely on is.
"""

from collections.abc import Iterator

from stoker_api.resource import LLMDeployment
from stoker_api.spec import Spec
from stoker_operator.local.plan import Machine


def without_effect(resource: LLMDeployment, machine: Machine) -> tuple[str, ...]:
    """A sentence for each field that this machine cannot honour, with its name."""
    spec = resource.spec
    sentences = [
        *_of_storage(spec, machine),
        *_of_server(spec, machine),
        *_of_gpus(spec, machine),
        *_of_placement(spec),
    ]
    return tuple(f"spec.{sentence}" for sentence in sentences)


def _of_storage(spec: Spec, machine: Machine) -> Iterator[str]:
    where = f"the models are in {machine.models}"
    if machine.server.is_attached:
        where = "the models are where that Ollama has them"
    if spec.storage.existing_claim:
        yield f"storage.existingClaim: there are no claims here; {where}"
    if spec.storage.volume_claim:
        yield f"storage.volumeClaim: there are no claims here; {where}"
    if spec.storage.read_only:
        yield "storage.readOnly: Ollama may write to its models here"


def _of_server(spec: Spec, machine: Machine) -> Iterator[str]:
    server = machine.server
    if "image" in spec.server.model_fields_set:
        yield f"server.image: there are no images here; Ollama is {server.path}"
    if spec.sidecar.image:
        yield "sidecar.image: there are no images here; the sidecar is the one that is installed"
    if spec.server.resources.limits.as_json():
        yield "server.resources.limits: nothing holds Ollama to its limits here"
    if not server.is_attached:
        return
    running = "the Ollama that runs has its own environment"
    if spec.server.env:
        yield f"server.env: {running}"
    if spec.options.model_fields_set - {"context_length", "batch", "threads"}:
        yield f"options: {running}; what a request can carry is asked for, the rest is as it is"
    if spec.replicas > 1:
        yield "replicas: there is one Ollama, so there is one replica"


def _of_gpus(spec: Spec, machine: Machine) -> Iterator[str]:
    if not (spec.gpu and spec.uses_gpu):
        if machine.gpus and not machine.server.is_attached:
            yield "gpu: not set, so Ollama leaves this machine's GPU alone, as in a cluster"
        return
    if not machine.gpus:
        yield "gpu: no NVIDIA GPU is in sight here; what there is, Ollama may use"
    elif spec.gpu.count * spec.replicas > machine.gpus:
        yield f"gpu.count: {machine.gpus} GPU(s) are here, which replicas have to share"


def _of_placement(spec: Spec) -> Iterator[str]:
    if spec.pod_template.node_selector:
        yield "podTemplate.nodeSelector: there is one machine"
    if spec.pod_template.affinity:
        yield "podTemplate.affinity: there is one machine"
    if spec.routing.service.type != "ClusterIP":
        yield f"routing.service.type: no {spec.routing.service.type} here; see --listen"
