"""Reading JSON as Go does: what it accepts, and its words for what it refuses."""

import json
from collections.abc import Mapping
from typing import Any

from stoker_simulator.errors import ApiError

Json = dict[str, Any]

_decoder = json.JSONDecoder()

_KEY = "looking for beginning of object key string"
_WORDS = {
    "Expecting property name enclosed in double quotes": _KEY,
    "Expecting value": "looking for beginning of value",
    "Expecting ':' delimiter": "after object key",
    "Illegal trailing comma before end of object": _KEY,
    "Illegal trailing comma before end of array": "looking for beginning of value",
}
_LITERALS = {"t": "true", "f": "false", "n": "null"}

_GO_NAMES = {bool: "bool", int: "number", float: "number", str: "string", list: "array"}

# What a field must be, by Go's name of that type.
_ACCEPTED: Mapping[str, tuple[type, ...]] = {
    "string": (str,),
    "bool": (bool,),
    "int": (int,),
    "map[string]interface {}": (dict,),
    "map[string]string": (dict,),
    "[]api.Message": (list,),
    "[]openai.Message": (list,),
}


def read_object(body: bytes, struct: str, fields: Mapping[str, str]) -> Json:
    """The object in a request's body, or ApiError 400.

    `struct` and `fields` (name to Go type) are what Go would read it into. What follows the first
    value is ignored, unknown fields are kept, and null counts as absent.
    """
    if not body.strip():
        raise ApiError(400, "missing request body")
    value = _decoded(body)
    if not isinstance(value, dict):
        raise ApiError(
            400, f"json: cannot unmarshal {_go_name(value)} into Go value of type api.{struct}"
        )
    present = {name: field for name, field in value.items() if field is not None}
    for name, kind in fields.items():
        if name in present and not _fits(present[name], kind):
            raise ApiError(
                400,
                f"json: cannot unmarshal {_go_name(present[name])} into Go struct field"
                f" {struct}.{name} of type {kind}",
            )
    return present


def _decoded(body: bytes) -> Any:
    text = body.decode(errors="replace").lstrip(" \t\r\n")
    try:
        value, _ = _decoder.raw_decode(text)
    except json.JSONDecodeError as error:
        raise ApiError(400, _complaint(text, error)) from None
    return value


def _complaint(text: str, error: json.JSONDecodeError) -> str:
    if error.pos >= len(text) or error.msg.startswith("Unterminated"):
        return "unexpected EOF"
    found = text[error.pos]
    literal = _LITERALS.get(found)
    if error.msg == "Expecting value" and literal:
        return _literal_complaint(text[error.pos :], literal)
    if error.msg == "Expecting ',' delimiter":
        before = text[: error.pos]
        # Good enough to tell objects from arrays: the bracket that was opened last.
        inside = (
            "array element" if before.rfind("[") > before.rfind("{") else "object key:value pair"
        )
        return f"invalid character {_quoted(found)} after {inside}"
    return f"invalid character {_quoted(found)} {_WORDS.get(error.msg, 'in string literal')}"


def _literal_complaint(text: str, literal: str) -> str:
    for found, expected in zip(text, literal, strict=False):
        if found != expected:
            return (
                f"invalid character {_quoted(found)} in literal {literal} (expecting '{expected}')"
            )
    return "unexpected EOF"


def _quoted(character: str) -> str:
    return r"'\''" if character == "'" else f"'{character}'"


def _fits(value: Any, kind: str) -> bool:
    if isinstance(value, bool) and kind == "int":
        return False
    return isinstance(value, _ACCEPTED[kind])


def _go_name(value: Any) -> str:
    return _GO_NAMES.get(type(value), "object")
