"""Events on LLMDeployments, aggregated: what happens again raises a count."""

import hashlib
import logging
from collections import OrderedDict
from datetime import UTC, datetime

from stoker_operator.api_errors import ClusterError
from stoker_operator.cluster import Cluster
from stoker_operator.desired import Manifest
from stoker_operator.observed import Notice

_log = logging.getLogger(__name__)

_REMEMBERED = 10_000
_MAX_MESSAGE = 1024
"""The API server takes no longer one."""


class Recorder:
    """Writes events. One that cannot be written is logged: it holds nothing up."""

    def __init__(self, cluster: Cluster, who: str) -> None:
        self._cluster = cluster
        self._who = who
        self._counts: OrderedDict[str, tuple[int, str]] = OrderedDict()
        """How often what has happened since when, by the event's name."""

    async def record(self, resource: Manifest, notices: tuple[Notice, ...], now: datetime) -> None:
        """Writes what has happened to this LLMDeployment."""
        for notice in notices:
            try:
                await self._write(resource, notice, _time(now))
            except ClusterError as error:
                _log.warning(
                    "event not written", extra={"reason": notice.reason, "sentence": str(error)}
                )

    async def _write(self, resource: Manifest, notice: Notice, now: str) -> None:
        metadata = resource["metadata"]
        name = self._name(metadata, notice)
        count, first = self._counts.get(name, (0, now))
        await self._cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Event",
                "metadata": {"name": name, "namespace": metadata["namespace"]},
                "involvedObject": {
                    "apiVersion": resource["apiVersion"],
                    "kind": resource["kind"],
                    **{field: metadata[field] for field in ("name", "namespace", "uid")},
                },
                "type": notice.type,
                "reason": notice.reason,
                "message": notice.message[:_MAX_MESSAGE],
                "source": {"component": "stoker"},
                "reportingComponent": "stoker.dev/operator",
                "reportingInstance": self._who,
                "firstTimestamp": first,
                "lastTimestamp": now,
                "count": count + 1,
            }
        )
        self._counts[name] = (count + 1, first)
        self._counts.move_to_end(name)
        if len(self._counts) > _REMEMBERED:
            self._counts.popitem(last=False)

    def _name(self, metadata: Manifest, notice: Notice) -> str:
        """The same for what is the same: this object, this reason, this pod, told by this process.

        Another process cannot know how often it has happened, and begins an event of its own.
        """
        same = "\0".join((self._who, metadata["uid"], notice.reason, notice.subject))
        return f"{metadata['name']}.{hashlib.sha256(same.encode()).hexdigest()[:16]}"


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
