"""The pod's GPUs, looked at again and again: through errors, and through starts of NVML."""

import math
from collections.abc import Callable, Sequence

from stoker_sidecar.gpu.devices import MissingError, Pick, UntoldError
from stoker_sidecar.gpu.figures import bytes_of, figures, is_busy
from stoker_sidecar.gpu.library import Library, LostError, NvmlError
from stoker_sidecar.gpu.machine import Machine, Unit, machine
from stoker_sidecar.heat.observation import Gpu, Gpus

_SLOW_SECONDS = 2.0
"""How old may be what changes slowly and costs as much: all but memory and utilisation."""
_FIRST_RETRY_SECONDS = 1.0
_LAST_RETRY_SECONDS = 60.0


class Baseline:
    """The least that was used since there was no model loaded.

    The least, because the memory of a model that has just gone may linger. So it is never too high
    for long, and never makes a model look smaller than it is.
    """

    def __init__(self) -> None:
        self._uuids: tuple[str, ...] = ()
        self._bytes: int | None = None

    def after(self, devices: Sequence[Gpu], *, idle: bool) -> int | None:
        """The baseline, with what the GPUs measure now."""
        uuids = tuple(device.uuid for device in devices)
        if uuids != self._uuids:
            self._uuids, self._bytes = uuids, None
        used = [device.used_bytes for device in devices if device.used_bytes is not None]
        is_known = len(used) == len(devices) > 0
        if is_known and (idle or self._bytes is not None):
            least = sum(used)
            self._bytes = least if self._bytes is None else min(least, self._bytes)
        return self._bytes


class Driver:
    """Looks from one thread. Starts NVML, and anew while something is wrong, ever more rarely."""

    def __init__(self, pick: Pick, clock: Callable[[], float]) -> None:
        self.library = Library()
        self._pick = pick
        self._clock = clock
        self._machine: Machine | None = None
        self._error: str | None = None
        """Why there is no machine."""
        self._start_at: float | None = -math.inf
        """When NVML is started, or started anew; None when all is well."""
        self._retry_seconds = _FIRST_RETRY_SECONDS
        self._units: list[Unit] | None = None
        """The pod's; None when they are to be picked."""
        self._slow_at = -math.inf
        self._runner: tuple[int | None, int | None] = (None, None)
        """A process, and the memory that it takes."""
        self._baseline = Baseline()

    def look(self, runner_pid: int | None, *, idle: bool) -> Gpus:
        """The pod's GPUs as of now; `idle` says that no model is loaded."""
        now = self._clock()
        try:
            gpus = self._measured(now, runner_pid, idle=idle)
        except UntoldError as error:  # NVML is well: no reason to start it anew
            return nothing(unknown=str(error))
        except LostError as error:
            gpus = nothing(lost=str(error))
        except MissingError as error:
            gpus = nothing(unknown=str(error))
        except NvmlError as error:
            self._error = str(error)
            self.close()
            gpus = nothing(unknown=self._error)
        self._plan(now, is_well=not (gpus.unknown or gpus.lost))
        return gpus

    def close(self) -> None:
        self._machine = self._units = None
        self.library.stop()

    def _measured(self, now: float, runner_pid: int | None, *, idle: bool) -> Gpus:
        if self._start_at is not None and now >= self._start_at:
            self._start()
        if self._machine is None:
            return nothing(unknown=self._error)
        is_slow_due = self._units is None or now >= self._slow_at
        if is_slow_due:
            self._units = None  # should it fail
            self._units = self._machine.picked(self._pick)
            self._slow_at = now + _SLOW_SECONDS
        return self._figures(self._units or [], runner_pid, anew=is_slow_due, idle=idle)

    def _figures(
        self, units: Sequence[Unit], runner_pid: int | None, *, anew: bool, idle: bool
    ) -> Gpus:
        devices, lost = [], None
        for unit in units:
            try:
                devices.append(figures(self.library, unit, anew=anew))
            except LostError as error:
                lost = str(error)
        if lost:
            return nothing(tuple(devices), lost=lost)
        if anew or runner_pid != self._runner[0]:
            self._runner = (runner_pid, bytes_of(self.library, units, runner_pid))
        return Gpus(
            devices=tuple(devices),
            unknown=None,
            lost=None,
            runner_bytes=self._runner[1],
            baseline_bytes=self._baseline.after(devices, idle=idle),
            busy=is_busy(devices),
        )

    def _start(self) -> None:
        self._start_at = None
        self.close()
        self.library.start()
        self._machine = machine(self.library)

    def _plan(self, now: float, *, is_well: bool) -> None:
        if is_well:
            self._start_at, self._retry_seconds = None, _FIRST_RETRY_SECONDS
        elif self._start_at is None:
            self._start_at = now + self._retry_seconds
            self._retry_seconds = min(2 * self._retry_seconds, _LAST_RETRY_SECONDS)


def nothing(
    devices: tuple[Gpu, ...] = (), *, unknown: str | None = None, lost: str | None = None
) -> Gpus:
    """What can be said when something is wrong."""
    return Gpus(devices, unknown, lost, runner_bytes=None, baseline_bytes=None, busy=None)
