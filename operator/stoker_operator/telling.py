"""Tells people: the status of an LLMDeployment, and events on it."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from http import HTTPStatus
from typing import Any

from stoker_operator.api_errors import ApiError, ConflictError
from stoker_operator.cluster import Cluster
from stoker_operator.desired import Manifest
from stoker_operator.making import LeftError
from stoker_operator.measures import Measures
from stoker_operator.observed import Observed
from stoker_operator.recorder import Recorder
from stoker_operator.world import RESOURCE, Change, Key, World

PACE = timedelta(seconds=10)
"""So far apart are two writes of a status that says nothing that somebody waits for."""
PATIENCE = timedelta(seconds=3)
"""So long is such news kept: often what somebody waits for comes on its heels, and tells both."""
SHARE = timedelta(seconds=1)
"""So far apart are such writes of all LLMDeployments together: a thousand that come up at the same
time leave the API server to those who bring them up."""
MOST = timedelta(minutes=1)
"""No such news is kept for longer."""


class Telling:
    """Writes what is new, and nothing else."""

    def __init__(
        self, cluster: Cluster, world: World, recorder: Recorder, measures: Measures
    ) -> None:
        self._cluster = cluster
        self._world = world
        self._recorder = recorder
        self._measures = measures
        self._told_at: dict[Key, datetime] = {}
        self._news_since: dict[Key, datetime] = {}
        """Since when there is something new to be told."""

    def forget(self, key: Key) -> None:
        """Nothing more will be told of it."""
        self._told_at.pop(key, None)
        self._news_since.pop(key, None)

    async def tell(self, body: Manifest, found: Observed, now: datetime) -> float | None:
        """Writes the status if it says anything new; in how many seconds to look again."""
        status, said = found.status.as_json(), body.get("status") or {}
        key = (body["metadata"]["namespace"], body["metadata"]["name"])
        if status == said:
            self._news_since.pop(key, None)
            return found.look_again_seconds
        since = self._news_since.setdefault(key, now)
        if not is_awaited(said, status):
            told_at, keeping = self._told_at.get(key), len(self._news_since)
            if wait := pause_seconds(told_at, since, keeping, now):
                return wait
        await self._write(body, status)
        self._told_at[key] = now
        self._news_since.pop(key, None)
        await self._recorder.record(body, found.events, now)
        return found.look_again_seconds

    async def _write(self, body: Manifest, status: Mapping[str, Any]) -> None:
        metadata = {name: body["metadata"][name] for name in ("name", "namespace", "uid")}
        ours = {"apiVersion": body["apiVersion"], "kind": body["kind"], "metadata": metadata}
        try:
            written = await self._cluster.apply({**ours, "status": status}, subresource="status")
        except ConflictError:
            raise LeftError from None  # another has this name by now
        except ApiError as error:
            if error.status == HTTPStatus.NOT_FOUND:
                raise LeftError from None
            self._measures.applied(RESOURCE, "error")
            raise
        self._measures.applied(RESOURCE, "ok")
        self._world.see(Change(RESOURCE, written))


def is_awaited(said: Mapping[str, Any], status: Mapping[str, Any]) -> bool:
    """Whether there is something new that somebody may be waiting for."""
    return _matters(status) != _matters(said)


def pause_seconds(
    told_at: datetime | None, news_since: datetime, keeping: int, now: datetime
) -> float:
    """How long other news has to wait, where so many LLMDeployments have some."""
    if told_at is None:
        return 0.0
    patience = min(max(PATIENCE, SHARE * keeping), MOST)
    return max(0.0, (max(told_at + PACE, news_since + patience) - now).total_seconds())


def _matters(status: Mapping[str, Any]) -> tuple[object, ...]:
    """What is waited for, by `kubectl wait` for one."""
    conditions = {each["type"]: each["status"] for each in status.get("conditions", [])}
    return (
        status.get("observedGeneration"),
        status.get("phase"),
        status.get("hotReplicas"),
        conditions,
    )
