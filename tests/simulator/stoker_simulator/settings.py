"""What `OLLAMA_*` variables say, bad values included: Ollama takes its default and says nothing."""

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from stoker_simulator.errors import ApiError
from stoker_simulator.go_time import FOREVER, MINUTE, SECOND, parse_duration

DEFAULT_KEEP_ALIVE = 5 * MINUTE


@dataclass(frozen=True)
class Settings:
    """How this Ollama is set up."""

    host: str = "127.0.0.1:11434"
    models: str = ""
    keep_alive: int = DEFAULT_KEEP_ALIVE
    """How long a model stays when no request says it; nanoseconds."""
    load_timeout: int = 5 * MINUTE
    context_length: int = 0
    """0 chooses by the memory of the GPUs."""
    parallel: int = 1
    max_loaded: int = 0
    """0 is three for each GPU, or three."""
    max_queue: int = 512


def read_settings(environment: Mapping[str, str]) -> Settings:
    """The settings that these variables make."""

    def value(name: str) -> str:
        return environment.get(name, "").strip().strip("\"'")

    keep_alive = _duration(value("OLLAMA_KEEP_ALIVE"), DEFAULT_KEEP_ALIVE)
    load_timeout = _duration(value("OLLAMA_LOAD_TIMEOUT"), 5 * MINUTE)
    return Settings(
        host=value("OLLAMA_HOST") or Settings.host,
        models=value("OLLAMA_MODELS"),
        keep_alive=FOREVER if keep_alive < 0 else keep_alive,
        load_timeout=load_timeout if load_timeout > 0 else FOREVER,
        context_length=_unsigned(value("OLLAMA_CONTEXT_LENGTH"), 0),
        parallel=max(1, _unsigned(value("OLLAMA_NUM_PARALLEL"), 1)),
        max_loaded=_unsigned(value("OLLAMA_MAX_LOADED_MODELS"), 0),
        max_queue=_unsigned(value("OLLAMA_MAX_QUEUE"), 512),
    )


def read_keep_alive(value: Any) -> int | None:
    """The nanoseconds of a request's `keep_alive`; ApiError 400 in Ollama's words."""
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        name = {bool: "bool", list: "[]interface {}"}.get(type(value), "map[string]interface {}")
        raise ApiError(400, f"Unsupported type: '{name}'")
    try:
        length = parse_duration(value) if isinstance(value, str) else int(value * SECOND)
    except ValueError as error:
        raise ApiError(400, str(error)) from None
    negative = length < 0 or (not isinstance(value, str) and value < 0)
    return FOREVER if negative else min(length, FOREVER)


def _duration(text: str, default: int) -> int:
    for parse in (parse_duration, lambda text: int(text) * SECOND):
        with contextlib.suppress(ValueError):
            return parse(text) if text else default
    return default


def _unsigned(text: str, default: int) -> int:
    return int(text) if text.isascii() and text.isdigit() else default
