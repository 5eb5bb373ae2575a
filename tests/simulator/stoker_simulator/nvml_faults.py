"""The faults that the tests' stand-in of NVIDIA's library knows (docs/nvml-stub.md)."""

import difflib

from stoker_simulator.errors import UsageError

UUID = "GPU-00000000-0000-0000-0000-000000000000"
"""The one GPU that there is."""

NAMES = (
    "no-driver",
    "gpu-lost",
    "unknown-error",
    "no-permission",
    "missing-symbol",
    "hang",
)


def check(text: str) -> None:
    """UsageError unless this is one of them, for all or for one function or GPU."""
    name, colon, target = text.partition(":")
    if name not in NAMES:
        close = difflib.get_close_matches(name, NAMES, n=1)
        hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(NAMES)}"
        raise UsageError(f"NVML has no fault `{name}`; {hint}")
    if colon and target != UUID and not target.startswith("nvml"):
        raise UsageError(
            f"`{text}`: after the colon stands a function, as nvmlDeviceGetMemoryInfo, or {UUID}"
        )
