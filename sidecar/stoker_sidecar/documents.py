"""JSON from a server that may be broken, or be somebody else: read key by key, each of its type.

Whatever does not fit is MalformedError, in a sentence that is never long.
"""

import json
from typing import Any, TypeAlias

from stoker_api.codec import MalformedError
from stoker_api.words import one_line

Json: TypeAlias = dict[str, Any]

_MAX_WORDS = 300
_MAX_NUMBER = 2**63 - 1
_KINDS = {str: "a string", int: "a whole number", list: "a list", dict: "an object"}


def read_object(body: bytes) -> Json:
    """The JSON object in `body`."""
    try:
        document = json.loads(body)
    # Too deep is no ValueError; undecodable bytes are one.
    except (ValueError, RecursionError) as error:
        raise MalformedError(f"no JSON: {clean(body[:80].decode(errors='replace'))!r}") from error
    return as_object(document)


def read_line(line: bytes) -> Json:
    """The JSON object in a line of an answer.

    What is none is not shown: it may be the half of a line, and hold what the model said.
    """
    try:
        return read_object(line)
    except MalformedError:
        raise MalformedError(f"a line of {len(line)} bytes that is no JSON object") from None


def as_object(value: Any) -> Json:
    if not isinstance(value, dict):
        raise MalformedError(f"{_shown(value)} where an object belongs")
    return value


def get(document: Json, key: str, kind: type, default: Any = None) -> Any:
    value = document.get(key)
    if value is None and default is not None:
        return default
    if not isinstance(value, kind) or isinstance(value, bool):
        raise MalformedError(f"`{key}` is not {_KINDS[kind]} but {_shown(value)}")
    return value


def text(document: Json, key: str, default: str | None = None) -> str:
    return clean(get(document, key, str, default))


def number(document: Json, key: str, default: int | None = None) -> int:
    value: int = get(document, key, int, default)
    if not 0 <= value <= _MAX_NUMBER:
        raise MalformedError(f"`{key}` is out of range: {_shown(value)}")
    return value


def _shown(value: Any) -> str:
    """A value in a sentence. What may be deep or long is only named."""
    if isinstance(value, list | dict):
        return _KINDS[type(value)]
    return clean(f"{value!r:.80}")


def clean(text: str) -> str:
    """The text without control characters, on one line, and not too long for a condition."""
    plain = one_line(text[: 4 * _MAX_WORDS])
    return plain if len(plain) <= _MAX_WORDS else plain[: _MAX_WORDS - 1] + "…"
