"""Names, labels and owners of what an LLMDeployment has.

An LLMDeployment's name is a DNS label of at most 63 characters. The objects whose names go into
DNS or labels (Service, Deployment) bear just that name; the others may have 253 characters, so a
suffix always fits and no name is ever cut.
"""

from typing import Any

from stoker_api.resource import API_VERSION, KIND, LLMDeployment
from stoker_api.wire import LABEL_LLMDEPLOYMENT

Manifest = dict[str, Any]


def heat_name(resource: LLMDeployment) -> str:
    """Of the ConfigMap with `heat.json`."""
    return f"{resource.metadata.name}-heat"


def models_name(resource: LLMDeployment) -> str:
    """Of the PersistentVolumeClaim with the model store."""
    return f"{resource.metadata.name}-models"


def sidecar_name(resource: LLMDeployment) -> str:
    """Of the sidecar's ServiceAccount and RoleBinding."""
    return f"{resource.metadata.name}-sidecar"


def selector(resource: LLMDeployment) -> dict[str, str]:
    """The labels by which an LLMDeployment's pods are found."""
    return {LABEL_LLMDEPLOYMENT: resource.metadata.name}


def labels(resource: LLMDeployment) -> dict[str, str]:
    """The labels of everything that an LLMDeployment has."""
    return {
        "app.kubernetes.io/component": "model-server",
        "app.kubernetes.io/instance": resource.metadata.name,
        "app.kubernetes.io/managed-by": "stoker",
        "app.kubernetes.io/name": "ollama",
        "app.kubernetes.io/part-of": "stoker",
    } | selector(resource)


def manifest(
    resource: LLMDeployment, api_version: str, kind: str, name: str, **body: Any
) -> Manifest:
    """An object that belongs to `resource`, with what is None left out."""
    metadata: Manifest = {
        "name": name,
        "namespace": namespace(resource),
        "labels": labels(resource),
    }
    if resource.metadata.uid:
        metadata["ownerReferences"] = [
            {
                "apiVersion": API_VERSION,
                "kind": KIND,
                "name": resource.metadata.name,
                "uid": resource.metadata.uid,
                "controller": True,
            }
        ]
    metadata |= body.pop("metadata", {})
    return {"apiVersion": api_version, "kind": kind, "metadata": metadata, **body}


def namespace(resource: LLMDeployment) -> str:
    """The namespace, which everything that belongs to an LLMDeployment shares with it."""
    if resource.metadata.namespace is None:
        raise ValueError(f"LLMDeployment {resource.metadata.name} has no namespace yet")
    return resource.metadata.namespace
