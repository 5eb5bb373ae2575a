"""What the API server was asked, by whom and when: its audit log, which every bed keeps.

Metadata alone: who, what, when, with which result. What the cluster's own programs read is left
out, and so are the heartbeats of nodes: they are most of it, and nobody asks about them.
"""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

from bed.layout import Bed

READS = ("get", "list", "watch")
OWN_PROGRAMS = (
    "system:apiserver",
    "system:kube-controller-manager",
    "system:kube-proxy",
    "system:kube-scheduler",
)
OWN_ACCOUNTS = "system:serviceaccount:kube-system:"
POLICY = {
    "apiVersion": "audit.k8s.io/v1",
    "kind": "Policy",
    # One line for each request, when it was answered; a watch has one more when it begins.
    "omitStages": ["RequestReceived"],
    "rules": [
        {"level": "None", "nonResourceURLs": ["*"]},
        {"level": "None", "users": OWN_PROGRAMS, "verbs": READS},
        {
            "level": "None",
            "userGroups": ["system:nodes", "system:serviceaccounts:kube-system"],
            "verbs": READS,
        },
        {"level": "None", "namespaces": ["kube-node-lease"]},
        {"level": "Metadata"},
    ],
}

# More than a day of tests writes: a log that is turned over would be read from the wrong place.
MAX_MEGABYTES = 4096


@dataclass(frozen=True)
class Call:
    """One request to the API server."""

    verb: str
    """get, list, watch, create, update, patch, delete or deletecollection."""
    resource: str
    """In the plural, with its subresource: `pods/status`."""
    namespace: str
    name: str
    user: str
    agent: str
    """What the client calls itself."""
    code: int
    at: str
    """When it came in, in UTC, to the microsecond."""

    @property
    def is_write(self) -> bool:
        """Whether it was let through to change something."""
        return self.verb not in READS and self.code < 400

    @property
    def is_of_kubernetes(self) -> bool:
        """Whether Kubernetes' own controllers made it."""
        return self.user in OWN_PROGRAMS or self.user.startswith(OWN_ACCOUNTS)

    @classmethod
    def of(cls, event: Mapping[str, Any]) -> Self:
        """From the API server's own words."""
        target = event.get("objectRef", {})
        parts = (target.get("resource", ""), target.get("subresource", ""))
        return cls(
            verb=event["verb"],
            resource="/".join(part for part in parts if part),
            namespace=target.get("namespace", ""),
            name=target.get("name", ""),
            user=event["user"]["username"],
            agent=event.get("userAgent", ""),
            code=event.get("responseStatus", {}).get("code", 0),
            at=event["requestReceivedTimestamp"],
        )


class Record:
    """All requests from the moment of its making on."""

    def __init__(self, bed: Bed) -> None:
        self._log = log_of(bed)
        self._start = self._log.stat().st_size

    def calls(self) -> list[Call]:
        """What has been answered by now, in order; a watch counts from its beginning."""
        with self._log.open("rb") as log:
            log.seek(self._start)
            whole_lines = log.read().rpartition(b"\n")[0].splitlines()
        return list(_once(map(json.loads, whole_lines)))

    def writes(self) -> list[Call]:
        """What has changed something by now. A Lease is a sign of life, and no change."""
        return [call for call in self.calls() if call.is_write and call.resource != "leases"]


def _once(events: Iterator[dict[str, Any]]) -> Iterator[Call]:
    for event in events:
        if not (event["verb"] == "watch" and event["stage"] == "ResponseComplete"):
            yield Call.of(event)


def write_policy(bed: Bed) -> None:
    """Says what is to be written down; before the API server starts."""
    _policy(bed).write_text(json.dumps(POLICY, indent=2))


def flags(bed: Bed) -> list[str]:
    """The API server's."""
    return [
        f"--audit-policy-file={_policy(bed)}",
        f"--audit-log-path={log_of(bed)}",
        f"--audit-log-maxsize={MAX_MEGABYTES}",
    ]


def log_of(bed: Bed) -> Path:
    return bed.control_plane.folder / "audit.log"


def _policy(bed: Bed) -> Path:
    return bed.control_plane.folder / "audit-policy.json"
