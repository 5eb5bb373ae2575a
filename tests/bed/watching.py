"""A record of what the API server told, and when: a poll would be late, and miss what is short."""

import json
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bed.cluster import Namespace

PATHS = {
    "pods": "/api/v1/namespaces/{}/pods",
    "endpointslices": "/apis/discovery.k8s.io/v1/namespaces/{}/endpointslices",
}


@dataclass(frozen=True)
class Change:
    """An object, as it was from this moment on."""

    at: float
    """By `time.monotonic`."""
    kind: str
    """ADDED, MODIFIED or DELETED."""
    found: dict[str, Any]


class Watch:
    """All changes of all objects of one kind in a namespace; use `watching()` to get one."""

    def __init__(self, kind: str) -> None:
        self.changes: list[Change] = []
        self._kind = kind
        self._news = threading.Condition()

    def until(
        self, holds: Callable[[dict[str, Any]], bool], *, since: float = 0.0, seconds: float = 60
    ) -> Change:
        """The first change since then after which this holds."""
        __tracebackhide__ = True
        looked = 0
        deadline = time.monotonic() + seconds
        with self._news:
            while True:
                fresh = self.changes[looked:]
                looked += len(fresh)
                for change in fresh:
                    if change.at >= since and holds(change.found):
                        return change
                left = deadline - time.monotonic()
                assert left > 0, f"no such change of {self._kind} within {seconds:g} s"
                self._news.wait(left)

    def take(self, line: str) -> None:
        """Enters one event of the API server's."""
        event = json.loads(line)
        with self._news:
            self.changes.append(Change(time.monotonic(), event["type"], event["object"]))
            self._news.notify_all()


@contextmanager
def watching(namespace: Namespace, kind: str) -> Iterator[Watch]:
    """A watch that begins with what is there already."""
    cluster = namespace.cluster
    path = PATHS[kind].format(namespace.name)
    command = [
        *(cluster.kubectl_program, f"--kubeconfig={cluster.kubeconfig}"),
        *("get", "--raw", f"{path}?watch=1"),
    ]
    watch = Watch(kind)

    def follow(lines: Iterator[str]) -> None:
        for line in lines:
            watch.take(line)

    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as kubectl:
        assert kubectl.stdout
        thread = threading.Thread(target=follow, args=[kubectl.stdout], name=f"watch {kind}")
        thread.start()
        try:
            yield watch
        finally:
            kubectl.terminate()
            thread.join()
