"""Durations as people write them (`90s`, `1h30m`) and as programs need them.

The syntax is Go's, because Kubernetes and Ollama both speak it, narrowed to what has one reading:
units from hours to milliseconds, each at most once, largest first.
"""

import re
from datetime import timedelta

# RE2 and Python read this the same way, so the CRD's rules use it too. Its bounded digits keep
# every match below what Go's 64-bit nanoseconds can hold.
PATTERN = (
    r"^([0-9]{1,6}(\.[0-9]{1,3})?h)?([0-9]{1,6}(\.[0-9]{1,3})?m)?"
    r"([0-9]{1,6}(\.[0-9]{1,3})?s)?([0-9]{1,9}ms)?$"
)
EXAMPLES = "`90s`, `1h30m` or `500ms`"

_UNITS = {"h": 3_600_000, "m": 60_000, "s": 1_000, "ms": 1}
_PART = re.compile(r"([0-9.]+)([a-z]+)")


def parse(text: str) -> timedelta | None:
    """The duration that `text` writes, or None where it writes none."""
    if not text or not re.fullmatch(PATTERN, text):
        return None
    milliseconds = sum(float(number) * _UNITS[unit] for number, unit in _PART.findall(text))
    return timedelta(milliseconds=milliseconds)


def render(duration: timedelta) -> str:
    """The one way we write a duration: `1h30m`, `1m30s`, `500ms`, `0s`."""
    rest = round(duration / timedelta(milliseconds=1))
    parts = []
    for unit, size in _UNITS.items():
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
