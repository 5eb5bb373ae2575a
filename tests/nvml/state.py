"""The state file of the stub: which GPUs there are, what they measure, and what is wrong.

What is None is something that a GPU does not tell: the calls that ask for it are "not supported".
"""

import json
import os
from dataclasses import asdict, dataclass
from pathlib import Path

from nvml.library import functions

FAULTS = {
    "no-driver": "init fails: the driver is not loaded",
    "gpu-lost": "calls about a device fail: it has fallen off the bus",
    "unknown-error": "calls fail with the unknown error",
    "no-permission": "calls fail for lack of permission",
    "missing-symbol": "calls fail as if the library of an older driver did not have them",
    "hang": "calls do not return until the fault is cleared or `hang_seconds` have passed",
}


@dataclass(frozen=True)
class Memory:
    """In bytes; `used` is what processes have, without what the driver keeps in reserve."""

    total: int
    used: int = 0
    reserved: int = 0


@dataclass(frozen=True)
class Utilisation:
    """In percent of the time."""

    gpu: int
    memory: int


@dataclass(frozen=True)
class EccErrors:
    corrected: int
    uncorrected: int


@dataclass(frozen=True)
class Process:
    pid: int
    used: int | None = None


@dataclass(frozen=True)
class MigDevice:
    uuid: str
    name: str = "Stoker Simulated GPU MIG 1g.10gb"
    memory: Memory | None = None
    processes: tuple[Process, ...] | None = ()


@dataclass(frozen=True)
class Device:
    """`mig` is None for a GPU without MIG, and empty when MIG is switched off."""

    uuid: str
    name: str = "Stoker Simulated GPU"
    minor: int | None = 0
    memory: Memory | None = None
    utilisation: Utilisation | None = None
    power_milliwatts: int | None = None
    temperature_celsius: int | None = None
    ecc_errors: EccErrors | None = None
    processes: tuple[Process, ...] | None = ()
    mig: tuple[MigDevice, ...] | None = ()


@dataclass(frozen=True)
class State:
    devices: tuple[Device, ...] = ()
    faults: tuple[str, ...] = ()
    driver: str = "580.159.03"
    hang_seconds: int = 300

    def __post_init__(self) -> None:
        for fault in self.faults:
            self._check(fault)

    def write(self, path: Path) -> None:
        """Puts the state into force: the next call of the stub reads it, all of it or none."""
        scratch = path.with_name(f".{path.name}.{os.getpid()}")
        scratch.write_text(json.dumps(asdict(self)))
        scratch.replace(path)

    def _check(self, fault: str) -> None:
        name, _, target = fault.partition(":")
        if name not in FAULTS:
            raise ValueError(f"there is no fault {name!r}, but {', '.join(FAULTS)}")
        if target.startswith("nvml") and target not in functions():
            raise ValueError(f"{fault}: the stub has no function {target!r}")
        if target and not target.startswith("nvml") and target not in self._uuids():
            raise ValueError(f"{fault}: no device has the uuid {target!r}")

    def _uuids(self) -> set[str]:
        migs = {mig.uuid for device in self.devices for mig in device.mig or ()}
        return migs | {device.uuid for device in self.devices}
