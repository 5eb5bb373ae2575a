"""Manifests as people write them, read into LLMDeployments or into sentences.

The order is the API server's: first the shape of every field, then, where that is right, the rules
between fields. Each problem is found in one go, so that nobody mends a file line by line.
"""

import difflib
from collections.abc import Iterator
from typing import Any, get_args

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from stoker_api.errors import InvalidManifestError, Problem
from stoker_api.part import Part
from stoker_api.resource import LLMDeployment
from stoker_api.rules import Rule

_Path = tuple[str | int, ...]


def read(manifest: Any, *, replaces: LLMDeployment | None = None) -> LLMDeployment:
    """The LLMDeployment in `manifest`; `InvalidManifestError` with all that is wrong with it.

    With `replaces`, the object as it is now, the change from that must be allowed too.
    """
    try:
        resource = LLMDeployment.model_validate(manifest)
    except ValidationError as error:
        raise InvalidManifestError([_problem(detail) for detail in error.errors()]) from None
    if problems := list(_broken_rules(resource, replaces, ())):
        raise InvalidManifestError(problems)
    return resource


def _broken_rules(value: Any, old: Any, path: _Path) -> Iterator[Problem]:
    """What the rules between fields say of `value` and of everything below it."""
    if isinstance(value, list):
        for index, item in enumerate(value):
            yield from _broken_rules(item, None, (*path, index))
    if not isinstance(value, Part):
        return
    yield from _judged(type(value).rules, value, old, path)
    for name, child, rules in value.fields():
        before = None if old is None else old.field(name)
        yield from _judged(rules, child, before, (*path, name))
        yield from _broken_rules(child, before, (*path, name))


def _judged(rules: tuple[Rule, ...], value: Any, old: Any, path: _Path) -> Iterator[Problem]:
    for rule in rules:
        if rule.changes and old is None:
            continue
        if not (rule.holds(value, old) if rule.changes else rule.holds(value)):
            yield Problem(path if rule.field is None else (*path, rule.field), rule.message)


_TYPES = {
    "bool_type": "must be true or false",
    "dict_type": "must be a map of names to values",
    "float_type": "must be a number",
    "int_type": "must be a whole number",
    "list_type": "must be a list",
    "model_type": "must be an object with fields of its own",
    "string_unicode": "must be text: it holds half of a character",
    "string_type": "must be a string: put it in quotes if YAML reads it as something else",
}
_BOUNDS = {
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "literal_error": "must be {expected}",
    "string_too_long": "must be at most {max_length} characters long",
    "string_too_short": "must be at least {min_length} characters long",
    "too_long": "must have at most {max_length} entries, not {actual_length}",
    "too_short": "must have at least {min_length} entries, not {actual_length}",
}


def _problem(detail: ErrorDetails) -> Problem:
    """A finding of pydantic's in our words."""
    kind, path = detail["type"], detail["loc"]
    if kind == "missing":
        return Problem(path, "is required")
    if kind == "extra_forbidden":
        return Problem(path, _unknown(path))
    if kind in _BOUNDS:
        return Problem(path, _BOUNDS[kind].format(**detail["ctx"]), detail["input"])
    return Problem(path, _TYPES.get(kind, detail["msg"]), detail["input"])


def _unknown(path: _Path) -> str:
    """What to say of a field that is not there: which ones are."""
    known = _field_names(LLMDeployment, path[:-1])
    close = difflib.get_close_matches(str(path[-1]), known, n=1)
    hint = f"did you mean `{close[0]}`?" if close else f"known here: {', '.join(sorted(known))}"
    return f"is no field of this object; {hint}"


def _field_names(part: type[Part], path: _Path) -> list[str]:
    """The names of the fields at `path`, as manifests write them."""
    fields = {info.alias or name: info for name, info in part.model_fields.items()}
    if not path:
        return list(fields)
    return _field_names(_part_in(fields[str(path[0])].annotation), _past_index(path[1:]))


def _past_index(path: _Path) -> _Path:
    return path[1:] if path and isinstance(path[0], int) else path


def _part_in(annotation: Any) -> type[Part]:
    """The `Part` that a field holds, be it optional or in a list."""
    if isinstance(annotation, type) and issubclass(annotation, Part):
        return annotation
    return next(_part_in(option) for option in get_args(annotation) if option is not type(None))
