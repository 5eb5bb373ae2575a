"""The options of a request: what they must be, and which of them belong to the runner."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from stoker_simulator.errors import ApiError

_KINDS = {
    "integer": (
        "num_keep seed num_predict top_k repeat_last_n num_ctx num_batch num_gpu main_gpu"
        " num_thread"
    ),
    "float32": (
        "temperature top_p min_p typical_p repeat_penalty presence_penalty frequency_penalty"
    ),
    "boolean": "use_mmap",
    "array": "stop",
}
_KIND_OF = {name: kind for kind, names in _KINDS.items() for name in names.split()}

_TYPES: Mapping[str, tuple[type, ...]] = {
    "integer": (int, float),
    "float32": (int, float),
    "boolean": (bool,),
    "array": (list,),
}

MIN_CONTEXT = 4


@dataclass(frozen=True)
class RunnerOptions:
    """The options that need another runner when they change."""

    num_ctx: int
    num_batch: int = 512
    num_gpu: int = -1
    main_gpu: int = 0
    use_mmap: bool | None = None
    num_thread: int = 0

    def serves(self, wanted: "RunnerOptions") -> bool:
        """Whether a runner that has these options will do for a request with those.

        A negative `num_gpu` asks for no certain number of layers, so any will do.
        """
        if wanted.num_gpu < 0:
            return replace(self, num_gpu=-1) == replace(wanted, num_gpu=-1)
        return self == wanted


@dataclass(frozen=True)
class Options:
    """All options of a request that make a difference here."""

    runner: RunnerOptions
    num_predict: int | None
    seed: int
    temperature: float


def read_options(default_context: int, *layers: Mapping[str, Any]) -> Options:
    """The options of these layers, later ones first; ApiError 500 where one has the wrong type."""
    values: dict[str, Any] = {"num_ctx": default_context}
    for layer in layers:
        values |= {
            name: _checked(name, value) for name, value in layer.items() if _counts(name, value)
        }
    values["num_ctx"] = max(values["num_ctx"], MIN_CONTEXT)
    runner = {name: values[name] for name in RunnerOptions.__dataclass_fields__ if name in values}
    return Options(
        runner=RunnerOptions(**runner),
        num_predict=values.get("num_predict"),
        seed=values.get("seed", -1),
        temperature=values.get("temperature", 0.8),
    )


def _counts(name: str, value: Any) -> bool:
    return name in _KIND_OF and value is not None


def _checked(name: str, value: Any) -> Any:
    kind = _KIND_OF[name]
    fits = isinstance(value, _TYPES[kind])
    if not fits or (isinstance(value, bool) and kind != "boolean"):
        raise ApiError(500, f'option "{name}" must be of type {kind}')
    return int(value) if kind == "integer" else value
