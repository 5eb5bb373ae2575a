"""The model store: the claim behind it, and the volume that pods mount."""

from stoker_api.resource import LLMDeployment
from stoker_operator.desired.identity import Manifest, manifest, models_name


def model_claim(resource: LLMDeployment) -> Manifest | None:
    """The claim that Stoker makes; None where the store is another."""
    claim = resource.spec.storage.volume_claim
    if claim is None:
        return None
    spec: Manifest = {
        "accessModes": [claim.access_mode],
        "resources": {"requests": {"storage": str(claim.size)}},
    }
    if claim.storage_class_name:
        spec["storageClassName"] = claim.storage_class_name
    wanted = manifest(resource, "v1", "PersistentVolumeClaim", models_name(resource), spec=spec)
    if claim.when_deleted == "Retain":
        wanted["metadata"].pop("ownerReferences", None)  # what nobody owns outlives everybody
    return wanted


def model_volume(resource: LLMDeployment) -> Manifest:
    """What a pod's volume of models is made of."""
    storage = resource.spec.storage
    if storage.empty_dir is not None:
        return {"emptyDir": storage.empty_dir.as_json()}
    claim = storage.existing_claim or models_name(resource)
    return {"persistentVolumeClaim": {"claimName": claim}}
