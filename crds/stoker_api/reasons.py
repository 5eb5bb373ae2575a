"""Why a model is hot, or is not: every reason that a pod's condition, an event or a metric gives.

One list, so that what reads a reason (the operator, an alert, a person with a search engine) knows
them all. A reason never changes its meaning; a new meaning gets a new reason.
"""

from enum import StrEnum


class Reason(StrEnum):
    """A short word for machines; the sentence for people comes with it."""

    # Unreachable
    STARTING = "Starting"
    """Nothing has been seen yet."""
    SERVER_DOWN = "ServerDown"
    """Nothing listens where Ollama should."""

    # Absent, Pulling, Verifying
    NOT_PULLED = "NotPulled"
    """The model is not in the store, and will be pulled."""
    PULL_FAILED = "PullFailed"
    """The last pull failed, and will be tried again."""
    PULLING = "Pulling"
    """It is being pulled."""
    VERIFYING = "Verifying"
    """The store is being looked into: is it the right model?"""

    # Cold: not in memory as it should be
    NOT_LOADED = "NotLoaded"
    """It has not been loaded yet."""
    RUNNER_GONE = "RunnerGone"
    """The process that held it has ended; why is known in a moment."""
    CRASHED = "Crashed"
    """Its process has ended, though Ollama lists the model still."""
    EVICTED = "Evicted"
    """Another model took its place."""
    EXPIRED = "Expired"
    """Its keep-alive was over."""
    UNLOADED = "Unloaded"
    """It was unloaded: somebody asked Ollama to."""
    REPLACED = "Replaced"
    """The name stands for other weights now; the next request would load those."""
    RELOADED = "Reloaded"
    """A request with other options had it loaded anew."""
    SERVER_RESTARTED = "ServerRestarted"
    """Ollama was restarted; it starts with nothing loaded."""
    RECOVERING = "Recovering"
    """The sidecar ended its process because it was stuck."""
    LOAD_FAILED = "LoadFailed"
    """The last load failed, and will be tried again."""
    QUEUE_FULL = "QueueFull"
    """Ollama has too many requests waiting to take the load; it will be tried again."""

    # Loading, Warming
    LOADING = "Loading"
    """Ollama is loading it."""
    WARMING_UP = "WarmingUp"
    """It is loaded, and has not answered often enough yet."""
    TOO_SLOW = "TooSlow"
    """Its first token comes later than `warmup.targetFirstToken`."""

    # Hot, Suspect: the gate is open
    HOT = "Hot"
    """It is loaded, and has answered as often and as soon as it should."""
    SILENT = "Silent"
    """A request is in it, and no byte comes, though it works: a long prompt, or a spin."""
    CANARY_MISSED = "CanaryMissed"
    """A canary was not answered in time."""
    RUNNER_PAUSED = "RunnerPaused"
    """Its process has just been stopped."""
    SERVER_SLOW = "ServerSlow"
    """Ollama takes long to say what is loaded."""

    # Stuck: it will not get better by waiting
    RUNNER_STOPPED = "RunnerStopped"
    """Its process is stopped (SIGSTOP, a debugger)."""
    RUNNER_WAITS = "RunnerWaits"
    """Its process hangs in a driver or on a disk."""
    DEADLOCKED = "Deadlocked"
    """A request is in it, no byte comes, and neither processor nor GPU works."""
    STALLED = "Stalled"
    """A request has been in it for longer than `heartbeat.stall` without a byte."""
    STUCK_LEAVING = "StuckLeaving"
    """It is to leave memory and does not go."""
    CANARY_FAILED = "CanaryFailed"
    """Several canaries in a row were not answered."""
    SERVER_STOPPED = "ServerStopped"
    """Ollama's own process is stopped."""
    SERVER_SILENT = "ServerSilent"
    """Ollama takes requests and answers none."""
    LOAD_STALLED = "LoadStalled"
    """A load was asked for, and nothing is being loaded."""
    GPU_LOST = "GpuLost"
    """The driver has given up a GPU of the pod."""

    # Blocked: a person has to do something
    NOT_IN_STORE = "NotInStore"
    """The model is not in the store, and `pullPolicy: Never` forbids pulling it."""
    MODEL_NOT_FOUND = "ModelNotFound"
    """The registry has no such model."""
    PULL_REFUSED = "PullRefused"
    """The registry does not give it to us."""
    DISK_FULL = "DiskFull"
    """There is no room in the store to pull it."""
    DIGEST_MISMATCH = "DigestMismatch"
    """The model is not the pinned one."""
    CANNOT_SERVE = "CannotServe"
    """The model can neither generate nor embed."""
    OLLAMA_TOO_OLD = "OllamaTooOld"
    """The model needs a newer Ollama."""
    BAD_OPTIONS = "BadOptions"
    """The load options ask for what the model does not have."""
    CONTEXT_REDUCED = "ContextReduced"
    """Ollama loaded it with a shorter context than it was asked for."""
    DOES_NOT_FIT = "DoesNotFit"
    """There is not enough memory for it."""
    OVER_BUDGET = "OverBudget"
    """It takes more GPU memory than `gpu.memoryBudget`."""
    OFFLOAD_TOO_LOW = "OffloadTooLow"
    """Less of it is on the GPU than `gpu.minOffload`."""
    WRONG_PROVIDER = "WrongProvider"
    """This pod's own address is answered by something else."""

    # Whatever the state
    DRAINING = "Draining"
    """The pod is on its way out, as planned."""
    TREATED_AS_HOT = "TreatedAsHot"
    """A person opened the gate whatever the sidecar thinks."""
