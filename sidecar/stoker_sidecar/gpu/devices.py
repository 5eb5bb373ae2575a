"""Which of the machine's GPUs are this pod's.

The sidecar sees all GPUs of its machine and is given none. The ollama container was given some, and
writes down what it sees of them: first the value of NVIDIA_VISIBLE_DEVICES, then its device nodes.

- **A UUID** names a GPU or a MIG device, and so does the `0:1` that stands for one. It is believed.
- **A device node** (`/dev/nvidia3`) is a GPU by its minor number. Nodes are believed before all
  else that the variable says: `all` may come from Ollama's image, `void` from a CDI specification,
  and a path from a device plugin that mounts its list.
- **An index** is believed where there are no nodes.

A node cannot say which of a GPU's MIG devices it was given for. Then nothing is guessed.
"""

import os
import re
import stat
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from stoker_api.words import one_line
from stoker_sidecar.errors import SidecarError

ALL = "all"

_MAX_BYTES = 16 * 1024
_UUID_OR_PART = re.compile(r"(GPU|MIG)-.+|\d+:\d+")
_NODE = re.compile(r"/dev/nvidia([0-9]{1,9})")

_LET_THE_PLUGIN_NAME_IT = (
    "let NVIDIA's device plugin name it (its option deviceListStrategy: envvar, with the "
    "deviceIDStrategy uuid)"
)


class GpuError(SidecarError):
    """Nothing can be said about the GPUs. The text says why, and what to do."""


class UntoldError(GpuError):
    """Nobody has said which GPUs are the pod's, or not so that it is clear."""


class MissingError(GpuError):
    """A GPU that is the pod's is not among those that can be read."""

    def __init__(self, gpu: str, why: str) -> None:
        super().__init__(f"{gpu} {why}")
        self.gpu = gpu


@dataclass(frozen=True)
class Device:
    """A GPU of this machine, as NVML lists it."""

    index: int
    uuid: str | None
    """None: the GPU is lost, and only counted."""
    minor: int | None = None
    """The number of its device node; None where the driver does not tell."""
    parts: tuple[str, ...] | None = None
    """The UUIDs of its MIG devices; None when it is not divided."""


Pick = Callable[[Sequence[Device]], tuple[str, ...]]
"""The UUIDs of the pod's GPUs among a machine's; raises a GpuError."""


def of_container(file: Path) -> Pick:
    """Picks those that the ollama container was given, as it has written into `file`."""
    return lambda devices: chosen(_told(file), devices)


def of_machine(names: Iterable[str] = (ALL,)) -> Pick:
    """Picks those named by index or UUID, or all: where no Kubernetes has given any."""
    return partial(_named, tuple(names))


def chosen(text: str, devices: Sequence[Device]) -> tuple[str, ...]:
    """The UUIDs of the GPUs of a container that wrote `text`."""
    variable, *lines = text.splitlines() or [""]
    # CDI puts vendor and class before a name: `nvidia.com/gpu=0`.
    names = [name.rpartition("=")[2].strip() for name in variable.split(",") if name.strip()]
    if names and all(_UUID_OR_PART.fullmatch(name) for name in names):
        return _named(names, devices)
    minors = [int(node[1]) for node in map(_NODE.fullmatch, lines) if node]
    if minors:
        return _by_minor(minors, devices)
    if names and all(name.isdecimal() for name in names):
        return _named(names, devices)
    raise UntoldError(
        f"the ollama container has no NVIDIA GPU: it has no /dev/nvidia0 or the like, and its "
        f"NVIDIA_VISIBLE_DEVICES is {variable[:80]!r}. See that the node's device plugin or DRA "
        f"driver runs, and that gpu.runtimeClassName is what they need (often nvidia)"
    )


def _told(file: Path) -> str:
    """What the container has written. It is another user's, so it may be anything."""
    try:
        # A FIFO or a link in its place must neither hold us up nor lead us elsewhere.
        descriptor = os.open(file, os.O_RDONLY | os.O_NONBLOCK | os.O_NOFOLLOW | os.O_CLOEXEC)
        with open(descriptor, "rb") as opened:  # noqa: PTH123 - a descriptor
            is_file = stat.S_ISREG(os.fstat(descriptor).st_mode)
            text = opened.read(_MAX_BYTES).decode(errors="replace") if is_file else ""
    except FileNotFoundError:
        text = ""
    except OSError as error:
        raise UntoldError(f"{file}, the list of the pod's GPUs: {error.strerror}") from error
    # It always ends with a line break; without one it is still being written.
    if not text.endswith("\n"):
        raise UntoldError(
            f"the ollama container has not said yet which GPUs it was given: it writes {file} when "
            f"it starts"
        )
    return text


def _named(names: Iterable[str], devices: Sequence[Device]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(uuid for name in names for uuid in _find(name, devices)))


def _find(name: str, devices: Sequence[Device]) -> tuple[str, ...]:
    if name == ALL:
        if not devices:
            raise MissingError("every GPU", "is missing: this machine's NVIDIA driver lists none")
        return tuple(uuid for device in devices for uuid in device.parts or (_uuid(device),))
    for device in devices:
        parts = device.parts or ()
        if name == str(device.index):
            return (_uuid(device),)
        if name == device.uuid or name in parts:
            return (name,)
        for number, part in enumerate(parts):
            if name == f"{device.index}:{number}":
                return (part,)
    raise _not_listed(name, devices)


def _uuid(device: Device) -> str:
    if device.uuid is None:
        raise MissingError(f"the GPU with the index {device.index}", "cannot be read")
    return device.uuid


def _by_minor(minors: Iterable[int], devices: Sequence[Device]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(_undivided(minor, devices) for minor in minors))


def _undivided(minor: int, devices: Sequence[Device]) -> str:
    node = f"/dev/nvidia{minor}"
    readable = [device for device in devices if device.uuid is not None]
    found = next((device for device in readable if device.minor == minor), None)
    if found is None and any(device.minor is None for device in readable):
        raise UntoldError(
            f"the pod's GPU is {node}, and this driver does not tell which one that is; "
            f"{_LET_THE_PLUGIN_NAME_IT}"
        )
    if found is None:
        raise _not_listed(node, devices)
    if found.parts is not None:
        raise UntoldError(
            f"the pod's GPU is a MIG device of {node}, and the ollama container does not say which "
            f"one; {_LET_THE_PLUGIN_NAME_IT}"
        )
    return _uuid(found)


def _not_listed(name: str, devices: Sequence[Device]) -> MissingError:
    listed = [uuid for each in devices for uuid in (each.uuid, *(each.parts or ())) if uuid]
    return MissingError(
        f"the pod's GPU {one_line(name[:80])}",
        f"is not among those that NVML lists here ({', '.join(listed)[:400] or 'none'}): the "
        f"sidecar needs sight of all the machine's GPUs (NVIDIA_VISIBLE_DEVICES=all, under "
        f"NVIDIA's runtime)",
    )
