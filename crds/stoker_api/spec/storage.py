"""Where the model's files are, and how they get there."""

from typing import Annotated, Literal

from stoker_api.part import Effect, Part
from stoker_api.rules import Rule
from stoker_api.scalars import Amount, ObjectName


class EmptyDir(Part):
    """A store on the node's disk that lives as long as its pod."""

    size_limit: Amount | None = None
    """The most that the store may hold, such as `20Gi`; a pod that holds more is evicted."""


class VolumeClaim(Part):
    """A PersistentVolumeClaim, `<name>-models`, that Stoker makes and all pods share."""

    size: Annotated[Amount, Effect.FLEET]
    """How large the volume is. It can grow where the storage class allows, and never shrink."""

    storage_class_name: Annotated[ObjectName, Effect.FIXED] | None = None
    """The storage class. Unset: the cluster's default."""

    access_mode: Annotated[
        Literal["ReadWriteOnce", "ReadWriteOncePod", "ReadWriteMany"], Effect.FIXED
    ] = "ReadWriteOnce"
    """`ReadWriteMany` where pods on several nodes share the store; the others bind it to one."""

    when_deleted: Annotated[Literal["Retain", "Delete"], Effect.FLEET] = "Retain"
    """What becomes of the claim when the LLMDeployment is deleted, or wants another store. A claim
    that was retained is taken up again by an LLMDeployment of the same name."""

    rules = (
        Rule(
            "self.accessMode == oldSelf.accessMode && (has(self.storageClassName)"
            " ? self.storageClassName : '') == (has(oldSelf.storageClassName)"
            " ? oldSelf.storageClassName : '')",
            "accessMode and storageClassName of a claim cannot be changed: make another claim and"
            " name it in storage.existingClaim",
            lambda claim, old: (
                claim.access_mode == old.access_mode
                and claim.storage_class_name == old.storage_class_name
            ),
        ),
        Rule(
            "quantity(string(self.size)).compareTo(quantity(string(oldSelf.size))) >= 0",
            "a claim can only grow: keep its size or raise it",
            lambda claim, old: claim.size.value >= old.size.value,
            field="size",
        ),
    )


class Storage(Part):
    """The model store, which each pod mounts at `/models`."""

    empty_dir: EmptyDir | None = None
    """A store of its own for each pod, filled anew by each new pod."""

    volume_claim: VolumeClaim | None = None
    """One claim that Stoker makes and all pods share."""

    existing_claim: ObjectName | None = None
    """The name of a claim in the same namespace that is there already and all pods share."""

    read_only: bool = False
    """Mount the store read-only. It must hold the model already."""

    pull_policy: Literal["IfNotPresent", "Always", "Never"] = "IfNotPresent"
    """When the model is pulled: when the store lacks it, at each start of a pod (to follow a
    moving tag), or never."""

    insecure_registry: bool = False
    """Let Ollama pull from a registry over plain HTTP, or with a certificate that nobody vouches
    for: one of your own network. Ollama's own registry never needs it."""

    rules = (
        Rule(
            "(has(self.emptyDir) ? 1 : 0) + (has(self.volumeClaim) ? 1 : 0)"
            " + (has(self.existingClaim) ? 1 : 0) == 1",
            "must name exactly one kind of store: emptyDir (`emptyDir: {}` will do), volumeClaim"
            " or existingClaim",
            lambda storage: len(storage.kinds) == 1,
        ),
        Rule(
            "!self.readOnly || (has(self.existingClaim) && self.pullPolicy != 'Always')",
            "a read-only store must hold the model already: name its claim in existingClaim, and"
            " leave pullPolicy at IfNotPresent or Never",
            lambda storage: (
                not storage.read_only
                or (storage.existing_claim and storage.pull_policy != "Always")
            ),
            field="readOnly",
        ),
        Rule(
            "self.pullPolicy != 'Never' || !has(self.emptyDir)",
            "an emptyDir begins empty, so a model that is never pulled is never there: set"
            " pullPolicy: IfNotPresent, or name a claim that holds the model in existingClaim",
            lambda storage: storage.pull_policy != "Never" or not storage.empty_dir,
            field="pullPolicy",
        ),
    )

    @property
    def kinds(self) -> list[object]:
        """The kinds of store that are named."""
        named = (self.empty_dir, self.volume_claim, self.existing_claim)
        return [kind for kind in named if kind is not None]

    @property
    def is_shared(self) -> bool:
        """Whether several pods look into the same files."""
        return self.empty_dir is None

    @property
    def is_written(self) -> bool:
        """Whether a pod may pull into the store."""
        return not self.read_only and self.pull_policy != "Never"
