"""Every way to go wrong that can be asked for: one table, and what is in force now.

The faults are data. Where one bites, the code there asks `is_on` or `value`.
"""

import asyncio
import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from stoker_simulator import nvml_faults
from stoker_simulator.errors import UsageError
from stoker_simulator.memory import GIB, Placement

Value = int | float | str


@dataclass(frozen=True)
class Fault:
    """A fault that exists."""

    name: str
    pitfall: str
    """Its number in the project's list of pitfalls, or of the field report that saw it."""
    what: str
    parameters: Mapping[str, Value] = field(default_factory=dict)
    """With their defaults; their types are those of the defaults."""
    checks: Mapping[str, Callable[[str], None]] = field(default_factory=dict)
    """What values of a parameter have to pass; UsageError from one that does not."""


_TABLE = (
    Fault(
        "scheduler-deadlock",
        "P7",
        "nothing that needs a load is answered, while loaded models and all lists are",
    ),
    Fault("slow-disk", "P12", "loads take so many times as long", {"factor": 20.0}),
    Fault("load-stall", "P12", "loads make no progress, until OLLAMA_LOAD_TIMEOUT"),
    Fault("ps-slow", "P13", "/api/ps answers so many seconds late", {"seconds": 6.0}),
    Fault("size-vram-lie", "P21", "/api/ps says that all of every model is in the GPU"),
    Fault(
        "size-from-file",
        "P21",
        "/api/ps takes both sizes from the file, as 0.30 does when it reads no log",
    ),
    Fault("cpu-fallback", "P22", "loads go to the CPU, and /api/ps says GPU"),
    Fault(
        "gpu-lost",
        "P23",
        "the GPU has fallen off the bus: what runs on it crashes at its next word, loads go to the"
        " CPU, NVML says that it is lost",
    ),
    Fault(
        "gpu-revoked",
        "P23",
        "the container may no longer open its GPU: what runs goes on, loads go to the CPU, NVML"
        " fails with the unknown error",
    ),
    Fault(
        "nvml",
        "P23",
        "NVML fails in this way, for a function or a uuid that may follow a colon",
        {"fault": "no-permission"},
        {"fault": nvml_faults.check},
    ),
    Fault(
        "partial-offload",
        "P25",
        "loads put no more than so many layers into the GPU",
        {"layers": 1},
    ),
    Fault("vram-leak", "P26", "the GPU's memory stays taken when a runner has ended"),
    Fault(
        "gpu-memory-taken",
        "P29",
        "another program takes so much of the GPU's memory",
        {"bytes": 4 * GIB},
    ),
    Fault(
        "stuck-stopping",
        "P30",
        "a model that is to leave does not, and whatever needs a runner waits for it",
    ),
    Fault("runner-crash", "P31", "every runner is killed, once"),
    Fault("crash-loop", "P31", "runners crash while they load"),
    Fault(
        "generation-hang",
        "P32",
        "answers give no word, while the runner is busy and its health is good",
    ),
    Fault("queue-full", "P33", "what needs a load is refused with 503"),
    Fault("pull-stall", "P35", "downloads give nothing more"),
    Fault(
        "pull-error",
        "P35",
        "pulls end with an error in an answer whose status is 200",
        {"message": "max retries exceeded: EOF"},
    ),
    Fault("wrong-digest", "P36", "downloads bring other bytes than those that were asked for"),
    Fault("disk-full", "P39", "pulls find no space on the disk"),
    Fault(
        "context-reduced",
        "0.30",
        "a context that nobody asked for shrinks until the model fits into the GPU",
    ),
    Fault("slow-answers", "R1", "answers take so many times as long", {"factor": 10.0}),
    Fault(
        "wrong-provider",
        "R4",
        "somebody else answers: another server, with another version and another model",
        {"model": "gpt-remote", "version": "0.5.7", "server": "gateway"},
    ),
)

FAULTS = {fault.name: fault for fault in _TABLE}


class Faults:
    """The faults that are in force."""

    def __init__(self) -> None:
        self._on: dict[str, dict[str, Value]] = {}
        self._over: dict[str, asyncio.Event] = {}
        self.listeners: list[Callable[[str], None]] = []
        """Called with the name of a fault that began or ended."""

    def inject(self, name: str, parameters: Mapping[str, Any]) -> None:
        """Puts a fault in force; UsageError if there is none like that."""
        self._on[name] = check(name, parameters)
        self._changed(name)

    def clear(self, name: str) -> None:
        """Ends a fault, whether it was in force or not."""
        find_fault(name)
        if self._on.pop(name, None) is not None:
            self._over.pop(name, asyncio.Event()).set()
            self._changed(name)

    def in_force(self) -> dict[str, dict[str, Value]]:
        return dict(self._on)

    def is_on(self, name: str) -> bool:
        return name in self._on

    def number(self, name: str, parameter: str, otherwise: float) -> float:
        """A parameter of a fault in force, or what holds without the fault."""
        return float(self._on[name][parameter]) if name in self._on else otherwise

    def text(self, name: str, parameter: str, otherwise: str) -> str:
        return str(self._on[name][parameter]) if name in self._on else otherwise

    async def until_over(self, name: str) -> None:
        """Returns when the fault is not in force."""
        if name in self._on:
            await self._over.setdefault(name, asyncio.Event()).wait()

    def real_gpu_bytes(self, placement: Placement) -> int:
        """What a load really puts into the GPU's memory."""
        lost = any(map(self.is_on, ("cpu-fallback", "gpu-lost", "gpu-revoked")))
        return 0 if lost else placement.gpu_bytes

    def _changed(self, name: str) -> None:
        for listener in self.listeners:
            listener(name)


def find_fault(name: str) -> Fault:
    """The fault of this name; UsageError that tells which there are."""
    if name in FAULTS:
        return FAULTS[name]
    close = difflib.get_close_matches(name, FAULTS, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(FAULTS)}"
    raise UsageError(f"there is no fault `{name}`; {hint}")


def check(name: str, parameters: Any) -> dict[str, Value]:
    """All parameters of this fault, with these set; UsageError where that is not possible."""
    fault = find_fault(name)
    if not isinstance(parameters, Mapping):
        raise UsageError(f"the parameters of `{name}` must be a map of names to values")
    for parameter, value in parameters.items():
        default = fault.parameters.get(parameter)
        if default is None:
            known = ", ".join(fault.parameters) or "none"
            raise UsageError(f"`{name}` has no parameter `{parameter}`; it has: {known}")
        kinds = (str,) if isinstance(default, str) else (int, float)
        if not isinstance(value, kinds) or isinstance(value, bool):
            kind = "a text" if kinds == (str,) else "a number"
            raise UsageError(f"`{parameter}` of `{name}` must be {kind}, not {value!r}")
        if parameter in fault.checks:
            fault.checks[parameter](str(value))
    return {**fault.parameters, **parameters}


def table() -> str:
    """What `stoker-simulator faults` prints."""
    width = max(map(len, FAULTS))
    lines = []
    for fault in _TABLE:
        extras = "".join(f" {name}={value}" for name, value in fault.parameters.items())
        shown = f" ({extras[1:]})" if extras else ""
        lines.append(f"{fault.name:<{width}}  {fault.pitfall:<4}  {fault.what}{shown}")
    return "\n".join(lines)
