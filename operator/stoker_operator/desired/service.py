"""The Service in front of the hot pods."""

from stoker_api.resource import LLMDeployment
from stoker_operator.desired.identity import Manifest, manifest, namespace, selector

OLLAMA_PORT_NAME = "ollama"


def service(resource: LLMDeployment) -> Manifest:
    """A Service that routes to Ready pods only, and a pod is Ready only while it is hot."""
    wanted = resource.spec.routing.service
    return manifest(
        resource,
        "v1",
        "Service",
        resource.metadata.name,
        metadata={"annotations": wanted.annotations} if wanted.annotations else {},
        spec={
            "type": wanted.type,
            "selector": selector(resource),
            "ports": [
                {
                    "name": OLLAMA_PORT_NAME,
                    "port": wanted.port,
                    "targetPort": OLLAMA_PORT_NAME,
                    "protocol": "TCP",
                    "appProtocol": "http",
                }
            ],
        },
    )


def service_url(resource: LLMDeployment) -> str:
    """The URL that clients in the cluster use, whatever the cluster's domain is."""
    port = resource.spec.routing.service.port
    return f"http://{resource.metadata.name}.{namespace(resource)}.svc:{port}"
