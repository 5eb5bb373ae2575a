"""What the GPU really has, in a file that the NVML stub of the tests reads at every call."""

import json
import os
from pathlib import Path
from typing import Any

from stoker_simulator.engine import Engine
from stoker_simulator.nvml_faults import UUID

DRIVER = "580.159.03"
# What the driver keeps for itself.
RESERVED_BYTES = 512 * 1024**2

_IDLE = {"gpu": 0, "memory": 0, "power_milliwatts": 30_000, "temperature_celsius": 35}
_BUSY = {"gpu": 97, "memory": 60, "power_milliwatts": 320_000, "temperature_celsius": 68}


class NvmlState:
    """Keeps the file true."""

    def __init__(self, path: Path, engine: Engine) -> None:
        self._path = path
        self._engine = engine
        self._written = b""
        engine.listeners.append(lambda _: self.write())
        self.write()

    def write(self) -> None:
        """Writes the state if it has changed; whoever reads finds the old or the new one, whole."""
        content = json.dumps(self._state(), indent=2).encode()
        if content == self._written:
            return
        scratch = self._path.with_name(f".{self._path.name}.{os.getpid()}")
        scratch.write_bytes(content)
        scratch.replace(self._path)
        self._written = content

    def _state(self) -> dict[str, Any]:
        devices = [self._device()] if self._engine.hardware.machine.gpu_bytes else []
        return {"driver": DRIVER, "devices": devices, "faults": self._faults()}

    def _faults(self) -> list[str]:
        faults = self._engine.faults
        found = {
            "gpu-lost": f"gpu-lost:{UUID}",
            "gpu-revoked": "unknown-error",
            "nvml": faults.text("nvml", "fault", ""),
        }
        return [told for name, told in found.items() if faults.is_on(name)]

    def _device(self) -> dict[str, Any]:
        engine = self._engine
        runners = [
            one for one in engine.holdings.values() if one.on_gpu and not one.process.ended.done()
        ]
        shown = _BUSY if any(runner.answers for runner in runners) else _IDLE
        taken = int(engine.faults.number("gpu-memory-taken", "bytes", 0))
        used = sum(runner.on_gpu for runner in runners) + engine.leaked_bytes + taken
        total = engine.hardware.machine.gpu_bytes
        return {
            "uuid": UUID,
            "name": engine.hardware.gpu_name,
            "minor": 0,
            "memory": {"total": total, "used": min(used, total), "reserved": RESERVED_BYTES},
            "utilisation": {"gpu": shown["gpu"], "memory": shown["memory"]},
            "power_milliwatts": shown["power_milliwatts"],
            "temperature_celsius": shown["temperature_celsius"],
            "ecc_errors": {"corrected": 0, "uncorrected": 0},
            "processes": [{"pid": one.process.pid, "used": one.on_gpu} for one in runners],
            "mig": [],
        }
