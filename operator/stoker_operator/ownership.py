"""Whose an object is that already has the name of one that is wanted."""

from enum import Enum

from stoker_api.resource import KIND, LLMDeployment
from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.desired import Manifest


class Whose(Enum):
    """Whether it may be written to."""

    OURS = "ours"
    """This LLMDeployment's; or that of a former one of its name, which nobody owns any more."""
    LEAVING = "leaving"
    """On its way out: its end wakes the next pass."""
    OTHERS = "others"
    """Somebody else's. It is never touched."""


def whose(found: Manifest, resource: LLMDeployment) -> Whose:
    """Whose this object is, as this LLMDeployment sees it."""
    metadata = found["metadata"]
    owner = _controller(found)
    if owner is None:
        labels = metadata.get("labels") or {}
        mine = labels.get(LABEL_LLMDEPLOYMENT) == resource.metadata.name
    elif is_owned(found, resource):
        mine = True
    elif (owner.get("kind"), owner.get("name")) == (KIND, resource.metadata.name):
        return Whose.LEAVING  # with the LLMDeployment that had this name before
    else:
        mine = False
    if not mine:
        return Whose.OTHERS
    return Whose.LEAVING if metadata.get("deletionTimestamp") else Whose.OURS


def is_owned(found: Manifest, resource: LLMDeployment) -> bool:
    """Whether it goes with this LLMDeployment."""
    owner = _controller(found)
    return owner is not None and owner.get("uid") == resource.metadata.uid


def _controller(found: Manifest) -> Manifest | None:
    """The one owner that is responsible for an object."""
    owners: list[Manifest] = found["metadata"].get("ownerReferences") or []
    return next((owner for owner in owners if owner.get("controller")), None)
