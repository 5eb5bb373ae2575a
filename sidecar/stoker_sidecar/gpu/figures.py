"""What the pod's GPUs measure.

What a GPU does not tell is None. Only memory has to be readable where there is any: it is what a
model is held against, and what fails when a container has lost its devices (P23).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pynvml

from stoker_sidecar.gpu.library import LOST, Library, LostError, NvmlError
from stoker_sidecar.gpu.machine import Unit
from stoker_sidecar.heat.observation import Gpu

_UNTOLD = (pynvml.NVML_ERROR_NOT_SUPPORTED, pynvml.NVML_ERROR_FUNCTION_NOT_FOUND)
_OTHER_LAYOUT = (
    *_UNTOLD,
    pynvml.NVML_ERROR_ARGUMENT_VERSION_MISMATCH,
    pynvml.NVML_ERROR_INVALID_ARGUMENT,
)


def figures(library: Library, unit: Unit, *, anew: bool) -> Gpu:
    """What a GPU measures now, with what changes slowly read `anew` or as it was last.

    Raises a LostError when it is lost.
    """
    try:
        total, used = _memory(library, unit.handle)
        utilisation = library.optional(pynvml.nvmlDeviceGetUtilizationRates, unit.handle)
        if anew:
            unit.slow = _slow(library, unit.handle)
    except NvmlError as error:
        if error.code in LOST:
            raise LostError(f"{unit.name} {unit.uuid}") from error
        raise
    watts, celsius, errors = unit.slow
    return Gpu(
        uuid=unit.uuid,
        name=unit.name,
        total_bytes=total,
        used_bytes=used,
        utilisation_ratio=None if utilisation is None else utilisation.gpu / 100,
        power_watts=watts,
        temperature_celsius=celsius,
        uncorrected_errors=errors,
    )


def _memory(library: Library, handle: Any) -> tuple[int | None, int | None]:
    """Total and used. The older layout counts as used what the driver keeps in reserve."""
    for version in (pynvml.nvmlMemory_v2, None):
        try:
            memory = library.ask(pynvml.nvmlDeviceGetMemoryInfo, handle, version)
        except NvmlError as error:
            if error.code not in (_OTHER_LAYOUT if version else _UNTOLD):
                raise
        else:
            return memory.total, memory.used
    return None, None


def _slow(library: Library, handle: Any) -> tuple[float | None, float | None, int | None]:
    milliwatts = library.optional(pynvml.nvmlDeviceGetPowerUsage, handle)
    celsius = library.optional(pynvml.nvmlDeviceGetTemperature, handle, pynvml.NVML_TEMPERATURE_GPU)
    errors = library.optional(
        pynvml.nvmlDeviceGetTotalEccErrors,
        handle,
        pynvml.NVML_MEMORY_ERROR_TYPE_UNCORRECTED,
        pynvml.NVML_VOLATILE_ECC,  # since the driver was loaded, not since the GPU was made
    )
    return None if milliwatts is None else milliwatts / 1000, celsius, errors


def is_busy(devices: Sequence[Gpu]) -> bool | None:
    """Whether any of them computes; None when those that tell do not, and one does not tell."""
    ratios = [device.utilisation_ratio for device in devices]
    if any(ratios):
        return True
    return None if None in ratios or not ratios else False


@dataclass(frozen=True)
class Process:
    """A process that NVML lists. Its number may be that of another namespace."""

    pid: int
    used_bytes: int | None


def bytes_of(library: Library, units: Iterable[Unit], pid: int | None) -> int | None:
    """What a process takes of the GPUs; None where NVML does not tell."""
    if pid is None:
        return None
    listed = (
        library.optional(pynvml.nvmlDeviceGetComputeRunningProcesses_v3, unit.handle)
        for unit in units
    )
    processes = [Process(each.pid, each.usedGpuMemory) for part in listed for each in part or ()]
    return believed(pid, processes, lambda pid: Path(f"/proc/{pid}").exists())


def believed(pid: int, processes: Sequence[Process], is_here: Callable[[int], bool]) -> int | None:
    """What a list of processes says that one of them takes; None where it does not tell.

    Many drivers number processes as the machine does, which means nothing in a container: so a list
    with a process that is not here is not believed at all. Others list a container's processes
    with no memory, and no process can be on a GPU without. A missing process proves nothing.
    """
    if not all(is_here(process.pid) for process in processes):
        return None
    own = [process.used_bytes or 0 for process in processes if process.pid == pid]
    return sum(own) if own and all(own) else None
