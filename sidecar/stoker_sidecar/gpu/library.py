"""NVIDIA's library, with its errors as sentences. Every call can hang for ever: see `watch`."""

from collections.abc import Callable
from typing import Any

import pynvml

from stoker_sidecar.gpu.devices import GpuError

LOST = (pynvml.NVML_ERROR_GPU_IS_LOST, pynvml.NVML_ERROR_RESET_REQUIRED)

_ADVICE = {
    pynvml.NVML_ERROR_LIBRARY_NOT_FOUND: (
        "NVIDIA's runtime mounts libnvidia-ml.so.1 into containers; in Kubernetes see that "
        "gpu.runtimeClassName is set (usually nvidia), elsewhere install the driver"
    ),
    pynvml.NVML_ERROR_DRIVER_NOT_LOADED: (
        "the NVIDIA driver does not run on this machine; install it, or load it (modprobe nvidia)"
    ),
    pynvml.NVML_ERROR_NO_PERMISSION: (
        "the sidecar may not open the GPU; see that NVIDIA's runtime gives it the device nodes "
        "(NVIDIA_VISIBLE_DEVICES=all), and that everybody may read and write them"
    ),
    pynvml.NVML_ERROR_FUNCTION_NOT_FOUND: "this driver is too old; install a newer one",
    pynvml.NVML_ERROR_LIB_RM_VERSION_MISMATCH: (
        "the driver was replaced while it ran; reboot the machine"
    ),
    pynvml.NVML_ERROR_UNKNOWN: (
        "most likely the container has lost its devices, as happens when systemd or the runtime "
        "sets its cgroup anew; delete the pod, its successor gets them again"
    ),
}
_NO_TEXT = -1
"""NVML has no such code: pynvml falls over what it was told."""
_ADVICE_OTHERWISE = "look for lines with NVRM in the machine's kernel log (dmesg)"


class NvmlError(GpuError):
    """A call that NVML did not answer as asked."""

    def __init__(self, call: str, code: int, says: str) -> None:
        super().__init__(f"NVML says {says!r} to {call}: {_ADVICE.get(code, _ADVICE_OTHERWISE)}")
        self.code = code


class LostError(GpuError):
    """A GPU that the driver has given up."""

    def __init__(self, gpu: str) -> None:
        super().__init__(
            f"{gpu} is lost: the driver has given it up. Look for lines with Xid in the machine's "
            f"kernel log (dmesg); the GPU needs a reset, or the machine a reboot"
        )


class Library:
    """Calls NVML from one thread."""

    def __init__(self) -> None:
        self.asking = ""
        """The call that it is in, or was in last; another thread may look."""
        self._started = False

    def start(self) -> None:
        if not self._started:
            self.ask(pynvml.nvmlInit)
            self._started = True

    def stop(self) -> None:
        """Ends NVML. Where even that fails it stays started: it is never started twice."""
        if not self._started:
            return
        try:
            self.ask(pynvml.nvmlShutdown)
        except NvmlError as error:
            self._started = error.code != pynvml.NVML_ERROR_UNINITIALIZED
        else:
            self._started = False

    def ask(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """What a function of pynvml returns, or an NvmlError."""
        self.asking = call.__name__
        try:
            return call(*arguments)
        except pynvml.NVMLError as error:
            raise NvmlError(call.__name__, error.value, str(error)) from error
        except UnicodeDecodeError as error:
            raise NvmlError(call.__name__, _NO_TEXT, "bytes that are no text") from error

    def optional(self, call: Callable[..., Any], *arguments: Any) -> Any:
        """The same; None where GPU, driver or permissions do not tell."""
        try:
            return self.ask(call, *arguments)
        except NvmlError as error:
            if error.code in LOST:
                raise
            return None
