"""What the operator writes on the objects it applies, to know its own work again.

Two annotations: the digest of all that was wanted, by which a pass sees that nothing has to be
written, also after a restart; and on a Deployment the digest of its pod template, in which the
sidecar's image counts only where the LLMDeployment names one. By that a new operator sees that it
has only a newer sidecar to offer, and that alone is no reason to take a hot pod down.
"""

import hashlib
import json
from copy import deepcopy
from typing import Any

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


def with_running_sidecar(
    deployment: Manifest, live: Manifest | None, resource: LLMDeployment, settings: Settings
) -> Manifest:
    """The Deployment, with the sidecar that its pods have already.

    Another image goes out with the next change of the template, or where the installation wants
    it everywhere at once.
    """
    template = _digest_of_template(deployment, resource.spec.sidecar.image)
    wanted = _annotated(deepcopy(deployment), ANNOTATION_TEMPLATE, template)
    running = None if live is None else _sidecar(live)
    if (
        running is not None
        and not settings.roll_sidecars
        and _annotations(live or {}).get(ANNOTATION_TEMPLATE) == template
    ):
        _of_our_own(wanted)["image"] = running["image"]
    return wanted


def _digest_of_template(deployment: Manifest, image: str | None) -> str:
    compared = deepcopy(deployment)
    _of_our_own(compared)["image"] = image
    return _digest(compared["spec"]["template"])


def _of_our_own(deployment: Manifest) -> Manifest:
    sidecar = _sidecar(deployment)
    if sidecar is None:
        raise ValueError("a Deployment of ours has a sidecar")
    return sidecar


def _sidecar(deployment: Manifest) -> Manifest | None:
    containers = deployment["spec"]["template"]["spec"].get("initContainers", [])
    return next((each for each in containers if each["name"] == CONTAINER_NAME), None)


def _annotations(manifest: Manifest) -> dict[str, str]:
    annotations: dict[str, str] = manifest.get("metadata", {}).get("annotations") or {}
    return annotations


def _annotated(manifest: Manifest, name: str, value: str) -> Manifest:
    annotations = _annotations(manifest) | {name: value}
    return {**manifest, "metadata": {**manifest["metadata"], "annotations": annotations}}


def _digest(value: Any) -> str:
    text = json.dumps(value, sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()[:16]
