"""The settings of `heat.json` as flags and environment, for use without Kubernetes.

There is no second list of settings: the names are those of the contract. What is
`heartbeat.intervalSeconds` in the file is `--heartbeat-interval-seconds` as a flag and
`STOKER_HEARTBEAT_INTERVAL_SECONDS` in the environment.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass
from types import NoneType
from typing import Any, get_args, get_origin

from stoker_api import wire
from stoker_api.codec import MalformedError, camel, decode, encode
from stoker_sidecar.config import complaint
from stoker_sidecar.errors import UsageError

_NOT_SETTINGS = ("version",)


@dataclass(frozen=True)
class Option:
    """One setting."""

    path: tuple[str, ...]
    """The names on the way to it."""
    kind: Any
    """Its type, without "or nothing"."""

    @property
    def flag(self) -> str:
        return "--" + "-".join(self.path).replace("_", "-")

    @property
    def variable(self) -> str:
        return "STOKER_" + "_".join(self.path).upper()

    @property
    def is_list(self) -> bool:
        """Whether it may be given several times."""
        return get_origin(self.kind) is tuple

    def value(self, texts: Sequence[str]) -> Any:
        """What was given, as JSON has it; the last word counts where there is one value."""
        return list(texts) if self.is_list else _scalar(self.kind, texts[-1])


def options() -> tuple[Option, ...]:
    """Every setting, in the order of the contract."""
    return tuple(_walk(wire.HeatConfig, ()))


def configured(base: wire.HeatConfig, given: Mapping[Option, Sequence[str]]) -> wire.HeatConfig:
    """`base` with what was given over it; `UsageError` where that makes no sense."""
    document = encode(base)
    for option, texts in given.items():
        part = document
        for name in option.path[:-1]:
            part = part[camel(name)]
            if part is None:
                raise UsageError(f"{option.flag} needs a GPU: say with --gpus how many there are")
        part[camel(option.path[-1])] = option.value(texts)
    try:
        config = decode(wire.HeatConfig, document)
        wrong = complaint(config)
    except (MalformedError, OverflowError) as error:
        wrong = str(error)
    if wrong:
        raise UsageError(_flagged(wrong, given))
    return config


def _walk(kind: Any, path: tuple[str, ...]) -> Iterator[Option]:
    for field in fields(kind):
        if field.name in _NOT_SETTINGS:
            continue
        inner = _required(field.type)
        here = (*path, field.name)
        if is_dataclass(inner):
            yield from _walk(inner, here)
        else:
            yield Option(here, inner)


def _required(kind: Any) -> Any:
    """The type, where None would do as well."""
    if get_origin(kind) is tuple:
        return kind
    return next((each for each in get_args(kind) if each is not NoneType), kind)


def _scalar(kind: Any, text: str) -> Any:
    """A number or a truth where one is wanted; else the text, for `decode` to judge."""
    if kind is bool:
        return {"true": True, "false": False}.get(text.lower(), text)
    if kind in (int, float):
        try:
            return kind(text)
        except ValueError:
            return text
    return text


def _flagged(sentence: str, given: Mapping[Option, Sequence[str]]) -> str:
    """The sentence, with the flag in the place of the JSON name that it begins with."""
    for option in given:
        place = ".".join(map(camel, option.path))
        if sentence.startswith(place):
            return option.flag + sentence.removeprefix(place)
    return sentence
