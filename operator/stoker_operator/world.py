"""What the watches have told: each LLMDeployment, what it has, and its pods.

Everything that a pass needs to know, kept small (as JSON, without what nobody reads), so that a
thousand LLMDeployments take some MiB. It decides nothing but one thing: whom a change concerns.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace

from pydantic_core import from_json, to_json

from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.desired import Manifest

Key = tuple[str, str]
"""Namespace and name of an LLMDeployment."""

POD = "Pod"
RESOURCE = "LLMDeployment"

_Name = tuple[str, str]
"""Kind and name of an object that an LLMDeployment has."""

Stored = dict[_Name, bytes]
"""Objects without their status, to be compared with what they were."""


@dataclass(frozen=True)
class Change:
    """An object as it is now, or was when it went."""

    kind: str
    body: Manifest
    gone: bool = False


@dataclass(frozen=True)
class _Known:
    """An object as it was at a version."""

    version: int
    wish: bytes
    """All but the status."""
    status: bytes

    def body(self) -> Manifest:
        body: Manifest = from_json(self.wish)
        if status := from_json(self.status):
            body["status"] = status
        return body

    def is_like(self, other: "_Known") -> bool:
        return (self.wish, self.status) == (other.wish, other.status)


class World:
    """The newest that is known of every object."""

    def __init__(self) -> None:
        self.onlooker: Callable[[Key, Change], None] | None = None
        """Told of what is known anew, and whose it is."""
        self._resources: dict[Key, _Known] = {}
        self._objects: dict[Key, dict[_Name, _Known]] = {}

    def see(self, change: Change) -> Key | None:
        """Takes in a change; the LLMDeployment that it concerns, if it is news."""
        kind, body = change.kind, change.body
        key = _key(kind, body)
        if key is None:
            return None
        if kind == RESOURCE:
            changed = _put(self._resources, key, change)
        else:
            changed = self._put_object(key, change)
        if not changed:
            return None
        self._tell(key, change)
        return key

    def _put_object(self, key: Key, change: Change) -> bool:
        mine = self._objects.setdefault(key, {})
        name = (change.kind, str(change.body["metadata"]["name"]))
        changed = _put(mine, name, change)
        if not mine:
            del self._objects[key]
        return changed

    def _tell(self, key: Key, change: Change) -> None:
        if self.onlooker is not None:
            self.onlooker(key, change)

    def forget(self, key: Key, uid: str) -> None:
        """This LLMDeployment is not there any more, though no watch has told; another may be."""
        known = self._resources.get(key)
        body = known.body() if known else None
        if body is not None and body["metadata"]["uid"] == uid:
            del self._resources[key]
            self._tell(key, Change(RESOURCE, body, gone=True))

    def knows(self, change: Change) -> bool:
        """Whether this LLMDeployment has been told of before."""
        return change.kind == RESOURCE and _key(change.kind, change.body) in self._resources

    def keys(self) -> list[Key]:
        """The LLMDeployments there are."""
        return list(self._resources)

    def resource(self, key: Key) -> Manifest | None:
        """An LLMDeployment as the API server has it."""
        known = self._resources.get(key)
        return None if known is None else known.body()

    def wish(self, key: Key) -> bytes:
        """All of an LLMDeployment but its status, to tell whether it is the same as before."""
        return self._resources[key].wish

    def object(self, key: Key, kind: str, name: str) -> Manifest | None:
        """One object that it has."""
        known = self._objects.get(key, {}).get((kind, name))
        return None if known is None else known.body()

    def objects(self, key: Key) -> dict[tuple[str, str], Manifest]:
        """What it has, by kind and name, without its pods."""
        mine = self._objects.get(key, {})
        return {name: known.body() for name, known in mine.items() if name[0] != POD}

    def stored(self, key: Key) -> Stored:
        """The same, as it is kept."""
        mine = self._objects.get(key, {})
        return {name: known.wish for name, known in mine.items() if name[0] != POD}

    def pods(self, key: Key) -> tuple[Manifest, ...]:
        """Its pods, in the order of their names."""
        mine = self._objects.get(key, {})
        return tuple(mine[name].body() for name in sorted(mine) if name[0] == POD)

    def size(self) -> tuple[int, int]:
        """How many objects are known, and how many bytes they are kept in."""
        kept = [known for each in self._all() for known in each.values()]
        return len(kept), sum(len(known.wish) + len(known.status) for known in kept)

    def _all(self) -> Iterator[dict[Key, _Known] | dict[_Name, _Known]]:
        yield self._resources
        yield from self._objects.values()


def is_settled(change: Change) -> bool:
    """Whether it is an LLMDeployment whose status is about its spec as it is now."""
    body = change.body
    told = (body.get("status") or {}).get("observedGeneration")
    return change.kind == RESOURCE and told == body["metadata"].get("generation")


def _key(kind: str, body: Manifest) -> Key | None:
    metadata = body["metadata"]
    name = metadata["name"]
    if kind != RESOURCE:
        name = (metadata.get("labels") or {}).get(LABEL_LLMDEPLOYMENT)
    return (str(metadata["namespace"]), str(name)) if name else None


def _put(kept: dict[Key, _Known], name: Key, change: Change) -> bool:
    """Whether that was news. What was written may be known before the watch tells of it."""
    before, version = kept.get(name), _version(change.body)
    if before is not None and version < before.version:
        return False
    if change.gone:
        return kept.pop(name, None) is not None
    # The same version may read otherwise: another schema has come, which prunes and fills in.
    now = _known(_needed(change.kind, change.body), version)
    if before is not None and now.wish == before.wish:
        now = replace(now, wish=before.wish)  # others hold on to it as well
    kept[name] = now
    return before is None or not before.is_like(now)


_OF_A_POD = (
    "conditions",
    "containerStatuses",
    "initContainerStatuses",
    "message",
    "phase",
    "podIP",
    "reason",
)
_LOOKED_INTO = ("Deployment", "PersistentVolumeClaim")
_UNREAD = ("managedFields", "resourceVersion")


def _needed(kind: str, body: Manifest) -> Manifest:
    """What a pass looks at."""
    if kind != POD:
        return body if kind in (RESOURCE, *_LOOKED_INTO) else {**body, "status": None}
    status = body.get("status") or {}
    return {
        "metadata": body["metadata"],
        "spec": {"nodeName": (body.get("spec") or {}).get("nodeName")},
        "status": {name: status[name] for name in _OF_A_POD if name in status},
    }


def _version(body: Manifest) -> int:
    return int(body["metadata"].get("resourceVersion") or 0)


def _known(body: Manifest, version: int) -> _Known:
    metadata = {name: value for name, value in body["metadata"].items() if name not in _UNREAD}
    wish = {name: value for name, value in body.items() if name != "status"}
    return _Known(version, to_json(wish | {"metadata": metadata}), to_json(body.get("status")))
