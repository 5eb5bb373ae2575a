"""What the operator writes on the objects it applies, to know its own work again.

Two annotations: the digest of all that was wanted, by which a pass sees that nothing has to be
written, also after a restart; and on a Deployment the digest of its pod template, in which the
sidecar's image counts only where the LLMDeployment names one. By that a new operator sees that it
has only a newer sidecar to offer, and that alone is no reason to take a hot pod down.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Self

from stoker_api.resource import LLMDeployment
from stoker_api.wire import DOMAIN
from stoker_operator.desired.identity import Manifest
from stoker_operator.desired.settings import Settings
from stoker_operator.desired.sidecar import CONTAINER_NAME

ANNOTATION_APPLIED = f"{DOMAIN}/applied"
ANNOTATION_TEMPLATE = f"{DOMAIN}/template"


def applied(manifest: Manifest) -> str | None:
    """The digest of what was wanted of this object when it was applied last."""
    return _annotations(manifest).get(ANNOTATION_APPLIED)


def marked(manifest: Manifest) -> Manifest:
    """The same, with the digest of what it says."""
    return _annotated(manifest, ANNOTATION_APPLIED, _digest(manifest))


@dataclass(frozen=True)
class Running:
    """What the pods of a Deployment were made from."""

    template: str
    """The digest of the template."""
    sidecar_image: str

    @classmethod
    def of(cls, live: Manifest | None) -> Self | None:
        """None where there is no Deployment, or one that was not made as we make it."""
        if live is None:
            return None
        template = _annotations(live).get(ANNOTATION_TEMPLATE)
        images = [each.get("image") for each in _containers(live) if _is_sidecar(each)]
        return cls(template, images[0]) if template and images and images[0] else None


def with_running_sidecar(
    deployment: Manifest, running: Running | None, resource: LLMDeployment, settings: Settings
) -> Manifest:
    """The Deployment, with the sidecar that its pods have already.

    Another image goes out with the next change of the template, or where the installation wants
    it everywhere at once.
    """
    template = _digest(_with_sidecar(deployment, resource.spec.sidecar.image)["spec"]["template"])
    wanted = _annotated(deployment, ANNOTATION_TEMPLATE, template)
    if running is None or running.template != template or settings.roll_sidecars:
        return wanted
    return _with_sidecar(wanted, running.sidecar_image)


def _with_sidecar(deployment: Manifest, image: str | None) -> Manifest:
    """The same, with this image for the sidecar; what is not on the way to it is shared."""
    containers = [
        {**each, "image": image} if _is_sidecar(each) else each for each in _containers(deployment)
    ]
    spec = deployment["spec"]
    template = spec["template"]
    pod = {**template["spec"], "initContainers": containers}
    return {**deployment, "spec": {**spec, "template": {**template, "spec": pod}}}


def _containers(deployment: Manifest) -> list[Manifest]:
    containers: list[Manifest] = deployment["spec"]["template"]["spec"].get("initContainers", [])
    return containers


def _is_sidecar(container: Manifest) -> bool:
    return bool(container["name"] == CONTAINER_NAME)


def _annotations(manifest: Manifest) -> dict[str, str]:
    annotations: dict[str, str] = manifest.get("metadata", {}).get("annotations") or {}
    return annotations


def _annotated(manifest: Manifest, name: str, value: str) -> Manifest:
    annotations = _annotations(manifest) | {name: value}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
