"""The GPUs that a machine has, with NVML's handles of them."""

from dataclasses import dataclass, field
from typing import Any

import pynvml

from stoker_api.words import one_line
from stoker_sidecar.gpu.devices import Device, MissingError, Pick
from stoker_sidecar.gpu.library import LOST, Library, LostError, NvmlError


@dataclass
class Unit:
    """A GPU or a MIG device."""

    uuid: str
    name: str
    handle: Any
    slow: tuple[float | None, float | None, int | None] = (None, None, None)
    """Power in watts, temperature in degrees Celsius, uncorrected errors: as last read."""


@dataclass
class Machine:
    """What was there when NVML was started."""

    devices: list[Device] = field(default_factory=list)
    units: dict[str, Unit] = field(default_factory=dict)
    """By UUID."""
    refused: NvmlError | None = None
    """Why there is a GPU more, of which nothing may be known."""

    def picked(self, pick: Pick) -> list[Unit]:
        """The pod's."""
        try:
            return [self.units[uuid] for uuid in pick(self.devices)]
        except MissingError as error:
            # It is none of those that can be read, and all the others are lost: so it is, too.
            is_lost = any(device.uuid is None for device in self.devices)
            if is_lost and not self.refused:
                raise LostError(error.gpu) from error
            raise


def machine(library: Library) -> Machine:
    """The machine's GPUs, as NVML lists them now."""
    found = Machine()
    for index in range(library.ask(pynvml.nvmlDeviceGetCount)):
        try:
            _add(found, library, index)
        except NvmlError as error:
            if error.code in LOST:
                found.devices.append(Device(index, uuid=None))
            elif error.code == pynvml.NVML_ERROR_NO_PERMISSION:
                found.refused = error
            else:
                raise
    if found.refused and not found.devices:
        raise found.refused
    return found


def _add(found: Machine, library: Library, index: int) -> None:
    handle = library.ask(pynvml.nvmlDeviceGetHandleByIndex, index)
    unit = _unit(library, handle)
    parts = _parts(library, handle)
    found.devices.append(
        Device(
            index=index,
            uuid=unit.uuid,
            minor=library.optional(pynvml.nvmlDeviceGetMinorNumber, handle),
            parts=None if parts is None else tuple(part.uuid for part in parts),
        )
    )
    found.units |= {each.uuid: each for each in (unit, *(parts or ()))}


def _unit(library: Library, handle: Any) -> Unit:
    uuid = one_line(library.ask(pynvml.nvmlDeviceGetUUID, handle))
    name = library.optional(pynvml.nvmlDeviceGetName, handle)
    return Unit(uuid, one_line(name or "GPU"), handle)


def _parts(library: Library, handle: Any) -> list[Unit] | None:
    """Its MIG devices; None when it is not divided."""
    mode = library.optional(pynvml.nvmlDeviceGetMigMode, handle)
    if mode is None or mode[0] != pynvml.NVML_DEVICE_MIG_ENABLE:
        return None
    most = library.optional(pynvml.nvmlDeviceGetMaxMigDeviceCount, handle) or 0
    handles = (
        library.optional(pynvml.nvmlDeviceGetMigDeviceHandleByIndex, handle, number)
        for number in range(most)
    )
    return [_unit(library, part) for part in handles if part is not None]
