"""LLMDeployments as the status page meets them: what the operator makes of pods."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial

from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.page.board import Board
from stoker_operator.world import POD, RESOURCE, Change, Key
from stoker_operator.world import World as Known
from support import pods_seen
from support.manifests import Json
from support.pods_seen import NOW, Seeing

GPU = {"model": "llama3:70b", "gpu": {"count": 1, "memoryBudget": "24Gi"}}
BUDGET = 24 * 1024**3


@dataclass
class Fleet:
    """A board, and those who tell it of a cluster."""

    known: Known = field(default_factory=Known)
    seconds: float = 0.0
    """Since `NOW`, by the board's clock."""
    _version: int = 0
    _seen: dict[Key, pods_seen.World] = field(default_factory=dict)
    _pods: dict[Key, set[str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        self.board = Board(self.known, None, clock=lambda: NOW.timestamp() + self.seconds)
        self.known.onlooker = self.board.saw

    def look(self, key: Key, spec: Json, *pods: Seeing, **seen: object) -> None:
        """The operator has made a pass, with these pods there."""
        now = NOW + timedelta(seconds=self.seconds)
        before = self._seen.get(key, pods_seen.World())
        world = replace(before, spec={"model": "phi3:mini", **spec}, now=now)
        self._tell_pods(key, pods)
        found = world.look(*pods, **seen)  # type: ignore[arg-type]
        self._seen[key] = replace(world, before=found.status)
        self._tell(RESOURCE, key, key[1], spec=world.spec, status=found.status.as_json())

    def leave(self, key: Key, *, pods_first: bool = True) -> None:
        """It has been deleted."""
        del self._seen[key]
        deeds = [
            partial(self._tell_pods, key, ()),
            partial(self._tell, RESOURCE, key, key[1], gone=True),
        ]
        for do in deeds if pods_first else reversed(deeds):
            do()

    def _tell_pods(self, key: Key, pods: Iterable[Seeing]) -> None:
        there = {each.name: each for each in pods}
        for name in self._pods.get(key, set()) - there.keys():
            self._tell(POD, key, name, gone=True)
        for name, each in there.items():
            self._tell(POD, key, name, **each.manifest)
        self._pods[key] = set(there)

    def _tell(self, kind: str, key: Key, name: str, *, gone: bool = False, **body: Json) -> None:
        self._version += 1
        metadata = {
            **body.pop("metadata", {}),
            "namespace": key[0],
            "name": name,
            "uid": f"{kind}-{name}",
            "resourceVersion": str(self._version),
            "labels": {LABEL_LLMDEPLOYMENT: key[1]},
        }
        self.known.see(Change(kind, {"metadata": metadata, **body}, gone=gone))
