"""The pod's GPUs: which they are, and what NVML says of them."""

from stoker_sidecar.gpu.devices import of_container, of_machine
from stoker_sidecar.gpu.watch import Nvml

__all__ = ["Nvml", "of_container", "of_machine"]
