"""Why a condition of an LLMDeployment is as it is, where the operator itself is the one who knows.

Besides these, `Progressing` hands on the words of others: the sidecar's (`stoker_api.reasons`), the
scheduler's (`Unschedulable`) and the kubelet's (`ImagePullBackOff`). `Routed` has the sidecar's
words for what is at the end of a client's way.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A short word for machines; the sentence for people comes with it."""

    # Accepted, Progressing: the resource and its objects
    ACCEPTED = "Accepted"
    """The resource is valid, and its objects are as it wants them."""
    INVALID = "Invalid"
    """The resource breaks a rule of the API; its objects are left as they are."""
    NAME_TAKEN = "NameTaken"
    """An object that it needs is there already and belongs to somebody else."""
    REFUSED = "Refused"
    """The API server refuses one of its objects: admission, or a right that is lacking."""
    QUOTA_EXCEEDED = "QuotaExceeded"
    """The namespace's quota has no room for it."""
    API_ERROR = "ApiError"
    """The API server could not be asked; it is tried again."""

    # Progressing: on the way
    PAUSED = "Paused"
    """The annotation `stoker.dev/paused` keeps the operator from changing anything."""
    APPLYING = "Applying"
    """The objects are being made."""
    HEATING_UP = "HeatingUp"
    """Pods are on their way to heat."""
    ROLLING_OUT = "RollingOut"
    """New pods are replacing old ones."""
    COMPLETE = "Complete"
    """All pods that are wanted are hot and of the newest version."""
    PROGRESS_DEADLINE_EXCEEDED = "ProgressDeadlineExceeded"
    """The roll-out has not moved for `rollout.progressDeadline`."""
    NO_PROGRESS = "NoProgress"
    """A pod has come no nearer to heat for `warmup.deadline`."""
    PULL_STALLED = "PullStalled"
    """The same, while the model is being pulled: no bytes come."""
    CLAIM_PENDING = "ClaimPending"
    """The volume for the models is not there yet, and a pod waits for it."""
    CLAIM_LOST = "ClaimLost"
    """The volume for the models is gone."""
    REPLICA_FAILURE = "ReplicaFailure"
    """Kubernetes cannot make pods."""

    # Hot, Available
    HOT = "Hot"
    """As many pods are hot as are wanted."""
    TREATED_AS_HOT = "TreatedAsHot"
    """The same, because a person has opened gates by hand."""
    HEAT_LOST = "HeatLost"
    """A pod was hot and is not; it stands until as many are hot as are wanted."""
    BLOCKED = "Blocked"
    """A pod cannot become hot until a person has done something."""
    SUSPENDED = "Suspended"
    """No pod is wanted: `suspend`, or 0 replicas."""
    AVAILABLE = "Available"
    """At least one pod takes traffic."""
    NONE_HOT = "NoneHot"
    """No pod is hot."""

    # OnDevice
    ON_DEVICE = "OnDevice"
    """The model is on its GPUs, as far as was asked for."""
    NO_GPU_WANTED = "NoGpuWanted"
    """The spec asks for no GPU."""
    CPU_FALLBACK = "CPUFallback"
    """A GPU was asked for, and nothing of the model is on it."""
    PARTLY_ON_CPU = "PartlyOnCPU"
    """Part of the model is not on the GPU."""

    # WithinBudget
    WITHIN_BUDGET = "WithinBudget"
    """Each pod takes no more GPU memory than `gpu.memoryBudget`."""
    NO_BUDGET = "NoBudget"
    """The spec sets no budget."""
    OVER_BUDGET = "OverBudget"
    """A pod takes more GPU memory than `gpu.memoryBudget`."""

    # Routed
    ROUTED = "Reached"
    """The clients' way leads to this model, on every API that is asked for."""
    NO_API_TRIED = "NoApiTried"
    """`routing.apis` is empty."""
    NOT_TRIED = "NotTried"
    """No hot pod has tried the clients' way yet."""

    # Unknown
    NOT_MEASURED = "NotMeasured"
    """There is no figure: the GPU or its driver does not say."""
    NO_ANSWER = "NoAnswer"
    """The sidecars do not answer the operator."""
    OUT_OF_REACH = "OutOfReach"
    """The operator runs outside the cluster, where pods' addresses lead nowhere."""

    # Of a pod, in the list of pods
    SCHEDULING = "Scheduling"
    """It has no node yet."""
    CREATING = "Creating"
    """Its node fetches images and starts containers."""
    NOT_READY = "NotReady"
    """Its gate is open, and Kubernetes does not count it as Ready."""
    LEAVING = "Leaving"
    """It is being deleted."""
    POD_FAILED = "PodFailed"
    """It has ended, and is replaced: evicted by its node, for instance."""
