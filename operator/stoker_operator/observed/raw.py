"""Values out of objects as the API server shows them, whatever they are.

A pod's status can be written by anybody with the right to, in any shape that the schema lets pass.
What is not as it should be reads as if it were not there; nothing here raises.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from stoker_api.words import one_line
from stoker_operator.desired.identity import Manifest


@dataclass(frozen=True)
class Said:
    """One condition of an object, as whoever keeps it has written it."""

    status: str
    reason: str
    message: str
    since: datetime | None


def at(node: Any, *path: str) -> Any:
    """What is at this path; None where nothing is."""
    for step in path:
        node = node.get(step) if isinstance(node, dict) else None
    return node


def text(node: Any, *path: str) -> str:
    """The text at this path, on one line; empty where none is."""
    value = at(node, *path)
    return one_line(value) if isinstance(value, str) else ""


def count(node: Any, *path: str) -> int:
    """The whole number at this path; 0 where none is."""
    value = at(node, *path)
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def items(node: Any, *path: str) -> Iterator[Manifest]:
    """The objects in the list at this path."""
    value = at(node, *path)
    return (
        (item for item in value if isinstance(item, dict)) if isinstance(value, list) else iter(())
    )


def said(node: Any, kind: str) -> Said | None:
    """The condition of this type."""
    for condition in items(node, "status", "conditions"):
        if condition.get("type") == kind:
            return Said(
                status=text(condition, "status"),
                reason=text(condition, "reason"),
                message=text(condition, "message"),
                since=instant(condition, "lastTransitionTime"),
            )
    return None


def instant(node: Any, *path: str) -> datetime | None:
    """The moment at this path, in UTC."""
    return moment(text(node, *path))


def moment(written: str) -> datetime | None:
    """The moment that a text names, in UTC."""
    try:
        read = datetime.fromisoformat(written)
        return read.astimezone(UTC) if read.tzinfo else None
    except (ValueError, OverflowError):
        return None


def rfc3339(when: datetime) -> str:
    """A moment as Kubernetes writes it."""
    return when.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def seconds_between(begin: datetime | None, end: datetime | None) -> float | None:
    """How long it took; None where a moment is unknown or the order is not the clock's."""
    if begin is None or end is None or end < begin:
        return None
    return (end - begin).total_seconds()
