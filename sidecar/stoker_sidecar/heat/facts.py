"""What an observation says about this model: the questions that both memory and verdict ask."""

from stoker_sidecar.heat.memory import Mark, Memory, Wanted
from stoker_sidecar.heat.observation import Deed, Loaded, Observation, Process

FOREVER_SECONDS = 10 * 365 * 86400
"""Ollama says "for ever" with an expiry in 292 years."""

RESIDENT_SHARE = 0.6
"""How much of what Ollama says is on the GPU must be measured there. Ollama counts what it
planned; NVML counts what is taken. They never agree to the byte."""


def listed(seen: Observation, memory: Memory) -> Loaded | None:
    """This model, if Ollama lists it; as it was last listed, while that is not known.

    By digest: an alias of it goes by another name, and when a tag has moved, its name stands for
    other weights.
    """
    loaded, stored = seen.server.loaded, seen.server.stored
    if loaded is None:
        return memory.watch.listed
    if stored is None:
        return None
    return next((model for model in loaded if model.digest == stored.digest), None)


def others_listed(seen: Observation) -> tuple[str, ...]:
    """The names of what else is loaded."""
    stored = seen.server.stored
    loaded = seen.server.loaded or ()
    return tuple(model.name for model in loaded if not stored or model.digest != stored.digest)


def runner(seen: Observation) -> Process | None:
    """The process that holds this model, where it is in sight."""
    return seen.processes.runner if seen.processes else None


def server(seen: Observation) -> Process | None:
    return seen.processes.server if seen.processes else None


def is_runner_gone(seen: Observation, memory: Memory) -> bool:
    """Whether the process that held the model has ended.

    If a load of ours brings forth no process that can be seen, then processes cannot tell, and
    answers have to.
    """
    processes = seen.processes
    return processes is not None and processes.runner is None and memory.watch.runner_known


def mark_of(seen: Observation, model: Loaded) -> Mark:
    """What a proof that is given now would be a proof of."""
    own, parent = runner(seen), server(seen)
    return Mark(
        server=parent.identity if parent else None,
        runner=own.identity if own else None,
        in_sight=seen.processes is not None,
        digest=model.digest,
        context_length=model.context_length,
    )


def has_right_context(model: Loaded, wanted: Wanted) -> bool:
    asked = wanted.pod.context_length
    return asked is None or model.context_length in (None, asked)


def is_doing(memory: Memory, *deeds: Deed) -> bool:
    return memory.doing is not None and memory.doing.deed in deeds


def is_asking(memory: Memory) -> bool:
    """Whether a request of our own waits for the model's answer."""
    return is_doing(memory, Deed.WARM, Deed.CANARY)


def is_pending(seen: Observation, memory: Memory) -> bool:
    """Whether a request is known to be in the model, be it ours or a client's."""
    requests = seen.traffic.runner_requests if seen.traffic else None
    return bool(requests) or is_asking(memory)


def offload_ratio(seen: Observation, model: Loaded) -> float | None:
    """How much of the model is on the GPU: what Ollama says, or less where less is measured."""
    if not model.size_bytes:
        return None
    claimed = min(model.vram_bytes, model.size_bytes)
    measured = gpu_bytes(seen)
    if measured is not None and measured < RESIDENT_SHARE * claimed:
        claimed = measured
    return claimed / model.size_bytes


def gpu_bytes(seen: Observation) -> int | None:
    """The GPU memory that this pod's model takes: its process's, or else all of the pod's GPUs'.

    All is more than the model's where others share a GPU: then it may look over its budget, and
    never too small. A process without any is not listed, so nothing is known of it by itself.
    """
    gpus = seen.gpus
    if gpus is None or gpus.unknown or gpus.pending:
        return None
    if gpus.runner_bytes is not None:
        return gpus.runner_bytes
    used = [device.used_bytes for device in gpus.devices]
    if not used or None in used:
        return None
    total = sum(each for each in used if each is not None)
    return max(0, total - (gpus.baseline_bytes or 0))


def contradiction(seen: Observation, model: Loaded) -> str | None:
    """In what NVML contradicts Ollama, in a sentence."""
    measured = gpu_bytes(seen)
    if measured is None or measured >= RESIDENT_SHARE * model.vram_bytes:
        return None
    return (
        f"Ollama says that {size(model.vram_bytes)} are on the GPU, but {size(measured)} are taken"
        " there: it may be running on the CPU"
    )


_KIB = 1024


def size(count: int) -> str:
    """Bytes as people read them."""
    value = float(count)
    for unit in ("KiB", "MiB", "GiB"):
        value /= _KIB
        if value < _KIB:
            return f"{value:.1f} {unit}"
    return f"{value / _KIB:.1f} TiB"


_SPANS = ((1, 0.001, "{:.0f} ms"), (120, 1, "{:.1f} s"), (7200, 60, "{:.0f} min"))


def span(seconds: float) -> str:
    """A length of time as people read it."""
    for limit, unit, text in _SPANS:
        if seconds < limit:
            return text.format(seconds / unit)
    return f"{seconds / 3600:.1f} h"
