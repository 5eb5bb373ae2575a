"""Plain dataclasses to JSON and back, strictly.

Small on purpose: the sidecar carries it in every pod. What is read must have every key and no
other, each of its type; the error names the place.
"""

from dataclasses import fields, is_dataclass
from enum import Enum
from types import NoneType, UnionType
from typing import Any, TypeVar, Union, get_args, get_origin

T = TypeVar("T")

_NAMES = {
    bool: "true or false",
    int: "a whole number",
    float: "a number",
    str: "a string",
    NoneType: "null",
}


_MOST = 2**63 - 1
"""The 64 bits that every reader of JSON has for a whole number."""


class MalformedError(ValueError):
    """A document that does not keep to the contract; says where and how."""


def camel(name: str) -> str:
    """A Python name as JSON writes it."""
    head, *rest = name.split("_")
    return head + "".join(word.capitalize() for word in rest)


def encode(value: Any) -> Any:
    """A dataclass (or part of one) as JSON values."""
    if is_dataclass(value):
        return {camel(field.name): encode(getattr(value, field.name)) for field in fields(value)}
    if isinstance(value, tuple):
        return [encode(item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)
    return value.value if isinstance(value, Enum) else value


def decode(kind: type[T], value: Any, path: str = "") -> T:
    """The `kind` that `value` holds; `MalformedError` where it holds none."""
    result: T = _decode(kind, value, path)
    return result


def _decode(kind: Any, value: Any, path: str) -> Any:
    if get_origin(kind) in (Union, UnionType):
        inner = next(option for option in get_args(kind) if option is not NoneType)
        return None if value is None else _decode(inner, value, path)
    if get_origin(kind) is tuple:
        if not isinstance(value, list):
            raise MalformedError(f"{path or 'document'}: must be a list")
        item = get_args(kind)[0]
        return tuple(_decode(item, each, f"{path}[{i}]") for i, each in enumerate(value))
    if is_dataclass(kind):
        return _decode_object(kind, value, path)
    if issubclass(kind, Enum):
        return _decode_enum(kind, value, path)
    return _decode_scalar(kind, value, path)


def _decode_scalar(kind: Any, value: Any, path: str) -> Any:
    accepted = (int, float) if kind is float else kind
    if not isinstance(value, accepted) or (isinstance(value, bool) and kind is not bool):
        raise MalformedError(f"{path}: must be {_NAMES[kind]}, not {shown(value)}")
    if isinstance(value, int) and abs(value) > _MOST:
        raise MalformedError(f"{path}: is out of range: {shown(value)}")
    if isinstance(value, str) and not _is_sound(value):
        raise MalformedError(f"{path}: holds half a character (a lone surrogate)")
    return kind(value)


def shown(value: Any) -> str:
    """A value in a sentence. What may be deep or long is only named."""
    if value and isinstance(value, list | dict):
        return "a list" if isinstance(value, list) else "an object"
    return f"{value!r:.80}"


def _is_sound(text: str) -> bool:
    """Whether it can be written down: JSON can name halves of characters, which nobody can read."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _decode_object(kind: Any, value: Any, path: str) -> Any:
    where = path or "document"
    if not isinstance(value, dict):
        raise MalformedError(f"{where}: must be an object")
    names = {camel(field.name): field for field in fields(kind)}
    if unknown := sorted(value.keys() - names.keys()):
        raise MalformedError(f"{where}: unknown key {unknown[0]!r:.80}")
    if missing := sorted(names.keys() - value.keys()):
        raise MalformedError(f"{where}: the key {missing[0]!r} is missing")
    prefix = f"{path}." if path else ""
    return kind(
        **{
            field.name: _decode(field.type, value[name], f"{prefix}{name}")
            for name, field in names.items()
        }
    )


def _decode_enum(kind: type[Enum], value: Any, path: str) -> Enum:
    members = {member.value: member for member in kind}
    if not isinstance(value, str) or value not in members:
        known = ", ".join(map(str, members))
        raise MalformedError(f"{path}: must be one of {known}, not {shown(value)}")
    return members[value]
