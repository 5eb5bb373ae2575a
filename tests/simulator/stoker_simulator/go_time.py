"""Time as Go has it, because Ollama's API shows it: durations in nanoseconds, and RFC 3339."""

import math
import re
from datetime import UTC, datetime

SECOND = 1_000_000_000
MINUTE = 60 * SECOND

# The longest duration that Go knows, 292 years. Ollama calls it for ever.
FOREVER = 2**63 - 1

_UNITS = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": SECOND,
    "m": MINUTE,
    "h": 60 * MINUTE,
}
_PART = re.compile(r"(?P<number>\d+\.?\d*|\.\d+)(?P<unit>[^\d.]*)")


def parse_duration(text: str) -> int:
    """The nanoseconds that `text` writes; ValueError with the words of Go's `ParseDuration`."""
    sign, rest = (-1, text[1:]) if text.startswith("-") else (1, text.removeprefix("+"))
    if rest == "0":
        return 0
    invalid = ValueError(f'time: invalid duration "{text}"')
    total = position = 0
    while position < len(rest) or not rest:
        part = _PART.match(rest, position)
        if part is None:
            raise invalid
        if not part["unit"]:
            raise ValueError(f'time: missing unit in duration "{text}"')
        if part["unit"] not in _UNITS:
            raise ValueError(f'time: unknown unit "{part["unit"]}" in duration "{text}"')
        total += math.floor(float(part["number"]) * _UNITS[part["unit"]])
        position = part.end()
    if total > FOREVER:
        raise invalid
    return sign * total


def timestamp(nanoseconds: int) -> str:
    """A moment as Go writes it in JSON: UTC, with no more digits than it needs."""
    seconds, fraction = divmod(nanoseconds, SECOND)
    text = datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    digits = f".{fraction:09}".rstrip("0").rstrip(".")
    return f"{text}{digits}Z"
