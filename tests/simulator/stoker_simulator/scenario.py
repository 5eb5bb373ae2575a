"""Scenario files: a machine, its models, and what goes wrong when.

    gpu: {memory: 24GiB}
    models:
      - phi3:mini
      - {name: "mine:7b", size: 4.1GB}
    steps:
      - {at: 30s, inject: slow-answers, with: {factor: 5}}
      - {after: answered, times: 3, inject: runner-crash}
      - {at: 2m, clear: slow-answers}

A bad file is refused with a sentence that names the line, and what could stand there.
"""

import difflib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from typing import Any

import yaml

from stoker_simulator import faults
from stoker_simulator.errors import UsageError
from stoker_simulator.go_time import parse_duration
from stoker_simulator.play import EVENTS, Step
from stoker_simulator.shelf import Shape, known_names, known_shape
from stoker_simulator.sizes import parse_size

_FILE = ("gpu", "memory", "models", "speed", "seed", "steps")
_GPU = ("memory", "name")
_MODEL = ("name", "size", "parameters", "layers", "context", "family", "capabilities")
_STEP = ("at", "after", "times", "inject", "with", "clear")


@dataclass(frozen=True)
class Scenario:
    """What a file says; None where it says nothing."""

    gpu_bytes: int | None = None
    gpu_name: str | None = None
    cpu_bytes: int | None = None
    models: tuple[Shape, ...] = ()
    speed: float | None = None
    seed: int | None = None
    steps: tuple[Step, ...] = ()


def read_scenario(text: str, file: str) -> Scenario:
    """The scenario in this text; UsageError with file and line where it is wrong."""
    try:
        root = yaml.compose(text, Loader=yaml.SafeLoader)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise UsageError(f"{file}:{line}: this is no YAML: {error.problem}") from None
    if root is None:
        return Scenario()
    top = _Part(file, root).fields(_FILE)
    gpu = top["gpu"].fields(_GPU) if "gpu" in top else {}
    return Scenario(
        gpu_bytes=gpu["memory"].parsed(parse_size) if "memory" in gpu else None,
        gpu_name=gpu["name"].text() if "name" in gpu else None,
        cpu_bytes=top["memory"].parsed(parse_size) if "memory" in top else None,
        models=tuple(_model(part) for part in top["models"].items()) if "models" in top else (),
        speed=top["speed"].number() if "speed" in top else None,
        seed=int(top["seed"].number()) if "seed" in top else None,
        steps=tuple(_step(part) for part in top["steps"].items()) if "steps" in top else (),
    )


class _Part:
    """A piece of the file that knows where it stands."""

    def __init__(self, file: str, node: yaml.Node) -> None:
        self._file = file
        self._node = node

    def wrong(self, message: str) -> UsageError:
        return UsageError(f"{self._file}:{self._node.start_mark.line + 1}: {message}")

    def fields(self, known: Iterable[str]) -> "dict[str, _Part]":
        """The values of a map that may have these keys and no others."""
        if not isinstance(self._node, yaml.MappingNode):
            raise self.wrong(f"here must stand a map, with: {', '.join(known)}")
        found = {}
        for key, value in self._node.value:
            name = str(key.value)
            if name not in known:
                raise _Part(self._file, key).wrong(_unknown(name, known))
            found[name] = _Part(self._file, value)
        return found

    def items(self) -> "list[_Part]":
        if not isinstance(self._node, yaml.SequenceNode):
            raise self.wrong("here must stand a list")
        return [_Part(self._file, node) for node in self._node.value]

    def is_text(self) -> bool:
        return isinstance(self._node, yaml.ScalarNode)

    def text(self) -> str:
        if not isinstance(self._node, yaml.ScalarNode):
            raise self.wrong("here must stand a single value")
        return str(self._node.value)

    def value(self) -> Any:
        """The value as YAML reads it."""
        return yaml.SafeLoader("").construct_object(self._node, deep=True)

    def number(self) -> float:
        value = self.value()
        if isinstance(value, bool) or not isinstance(value, int | float) or value < 0:
            raise self.wrong(f"`{value}` must be a number, 0 or more")
        return value

    def parsed(self, parse: Callable[[str], int]) -> int:
        try:
            return parse(self.text())
        except ValueError as error:
            raise self.wrong(str(error)) from None

    def checked(self, check: Callable[[], Any]) -> None:
        try:
            check()
        except UsageError as error:
            raise self.wrong(str(error)) from None


def _model(part: _Part) -> Shape:
    """A known model by its name, or any other by its size."""
    if part.is_text():
        known = known_shape(part.text())
        if known is None:
            raise part.wrong(
                f"`{part.text()}` is not known by itself; give its size, as"
                f" {{name: {part.text()}, size: 4GB}}, or take one of: {known_names()}"
            )
        return known
    fields = part.fields(_MODEL)
    if "name" not in fields or "size" not in fields:
        raise part.wrong("a model needs `name` and `size`")
    size = fields["size"].parsed(parse_size)
    shape = Shape(fields["name"].text(), size, parameters=size * 2)
    numbers: dict[str, Any] = {
        name: int(fields[name].number()) for name in ("layers", "context") if name in fields
    }
    if "parameters" in fields:
        numbers["parameters"] = fields["parameters"].parsed(parse_size)
    if "family" in fields:
        shape = replace(shape, family=fields["family"].text())
    if "capabilities" in fields:
        capabilities = tuple(item.text() for item in fields["capabilities"].items())
        shape = replace(shape, capabilities=capabilities)
    return replace(shape, **numbers)


def _step(part: _Part) -> Step:
    fields = part.fields(_STEP)
    if ("at" in fields) == ("after" in fields):
        raise part.wrong("a step needs either `at` (a time, as 30s) or `after` (an event)")
    if ("inject" in fields) == ("clear" in fields):
        raise part.wrong("a step needs either `inject` or `clear`, and the name of a fault")
    named = fields.get("inject") or fields["clear"]
    parameters = fields["with"].value() if "with" in fields else {}
    named.checked(lambda: faults.check(named.text(), parameters))
    event = fields["after"].text() if "after" in fields else ""
    if event and event not in EVENTS:
        raise fields["after"].wrong(f"`{event}` is no event; there are: {', '.join(EVENTS)}")
    return Step(
        fault=named.text(),
        begins="inject" in fields,
        parameters=parameters,
        at=fields["at"].parsed(parse_duration) if "at" in fields else 0,
        after=event,
        times=int(fields["times"].number()) if "times" in fields else 1,
    )


def _unknown(name: str, known: Iterable[str]) -> str:
    close = difflib.get_close_matches(name, list(known), n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"there are: {', '.join(known)}"
    return f"`{name}` is nothing here; {hint}"
