"""What a program that is broken, or means harm, could say; as Hypothesis draws it."""

import json
from collections.abc import Callable, Iterator
from typing import Any, TypeAlias, TypeVar

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st

from stoker_api.codec import MalformedError

T = TypeVar("T")

calm = settings(
    deadline=None,
    suppress_health_check=list(HealthCheck),
    max_examples=settings().max_examples // 4,  # an example here is a whole document
)
"""Without limits that a busy machine breaks; the profile says how long to look."""

_characters = st.characters(exclude_categories=())  # with lone surrogates, which are no text at all

NASTY = (
    *("", " ", "\0", "\n", "\r\n", "\x1b[2J", "\x9b31m", "\x7f", "\u2028", "\u202e", "\ud800"),
    *('"', "'", "\\", "}", "]]>", "<script>alert(1)</script>", '"><img src=x>', "&lt;", "&#0;"),
    *("$(id)", "`id`", "; id #", "%n%s", "{0}", "{style}", "--model=x", "a: b", "- a", "? a", "|"),
    *("# a", "&a", "*a", "!!int 1", "---", "...", "~", "null", "yes", "1e3", "0o17", "0x1f", "1_0"),
    *("12:30", ".inf", "2001-01-01", "<<", "=", "GPU-0\n# HELP x", 'a"} 1\nb{c="', "é" * 70),
    "a" * 5000,
)
texts = st.one_of(st.text(_characters, max_size=12), st.sampled_from(NASTY))

numbers = st.one_of(
    st.integers(-3, 70_000),
    st.floats(),
    st.sampled_from([2**31, 2**53, 2**63 - 1, 2**63, -(2**63), 10**30, 10**400, 1e308, -0.0]),
)
scalars = st.one_of(st.none(), st.booleans(), numbers, texts)
values: st.SearchStrategy[Any] = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(texts, inner, max_size=3),
    max_leaves=6,
)
"""Any JSON value, and what Python takes for one."""


def odd(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Mostly what is right, so that what comes after it is reached."""
    return st.one_of(right, right, right, values)


def objects(**fields: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """An object with these fields: some missing, some of another kind, some that nobody knows."""
    known = st.fixed_dictionaries({}, optional={name: odd(each) for name, each in fields.items()})
    whole = st.fixed_dictionaries(fields)
    return st.one_of(whole, known, st.builds(dict.__or__, known, st.dictionaries(texts, values)))


Path: TypeAlias = tuple[str | int, ...]


def places_in(document: Any, path: Path = ()) -> Iterator[Path]:
    """Every place in a document."""
    yield path
    if isinstance(document, dict | list):
        steps = document.items() if isinstance(document, dict) else enumerate(document)
        for step, each in steps:
            yield from places_in(each, (*path, step))


def replaced(document: Any, path: Path, value: Any) -> Any:
    """The document with another value in this place."""
    if not path:
        return value
    copy = document.copy()
    copy[path[0]] = replaced(document[path[0]], path[1:], value)
    return copy


def outcome(read: Callable[[bytes], T], body: bytes) -> tuple[T | None, str]:
    """What a reader makes of it, or the sentence with which it refuses it."""
    try:
        return read(body), ""
    except MalformedError as error:
        return None, str(error)


def is_plain(text: str) -> bool:
    """Whether it fits into a line of a log and into a condition."""
    return text.isprintable() and len(text) <= LONGEST_SENTENCE


LONGEST_SENTENCE = 700

NO_DOCUMENTS = {
    "nothing": b"",
    "no text": b"\xff",
    "half a text": b'"' + b"a" * 100_000,
    "null": b"null",
    "a number without an end": b"9" * 5000,
    "a number beyond all bounds": b"1e999999999",
    "depth": b"[" * 100_000,
    "depth that closes": b"[" * 100_000 + b"]" * 100_000,
    "depth in an object": b'{"version": ' * 100_000,
    # As deep as can just be read: nothing that comes later may go deeper.
    **{f"{depth} deep": b"[" * depth + b"]" * depth for depth in range(700, 1000, 7)},
}


def bodies(document: st.SearchStrategy[Any]) -> st.SearchStrategy[bytes]:
    """The document as bytes, some of them cut off, and bytes that are no document at all."""
    whole = document.map(lambda value: json.dumps(value).encode())
    raw = document.map(lambda value: json.dumps(value, ensure_ascii=False).encode(errors="replace"))
    cut = st.builds(lambda body, end: body[:end], whole, st.integers(0, 80))
    return st.one_of(whole, whole, raw, cut, st.binary(max_size=30))
