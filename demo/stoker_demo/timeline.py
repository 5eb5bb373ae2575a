"""What sidecars say in their logs when heat changes, read back. Pure.

`GET /heat` tells the newest only, and some states last for a millisecond. The log has them all.
"""

import re
from collections.abc import Iterator

from stoker_demo.record import Change

_DAY_SECONDS = 86400
_CHANGED = re.compile(
    r"(?P<hours>\d\d):(?P<minutes>\d\d):(?P<seconds>[\d.]{6}) \w+ heat changed"
    r" state=(?P<state>\w+) reason=(?P<reason>\w+) gate=(?P<gate>open|shut)"
    r" before=\w+: (?P<message>.*)"
)


def changes(text: str, replica: int, zero: float) -> Iterator[Change]:
    """The changes in the log of this replica's sidecar. `zero` is the run's beginning, as a time.

    The log has the time of day alone, in UTC. A run takes less than a day, so that is enough.
    """
    for line in text.splitlines():
        if found := _CHANGED.fullmatch(line):
            yield Change(
                at=(_seconds(found) - zero) % _DAY_SECONDS,
                replica=replica,
                hot=found["gate"] == "open",
                state=found["state"],
                reason=found["reason"],
                message=found["message"],
            )


def _seconds(found: re.Match[str]) -> float:
    return int(found["hours"]) * 3600 + int(found["minutes"]) * 60 + float(found["seconds"])
