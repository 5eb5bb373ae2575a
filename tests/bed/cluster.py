"""A Kubernetes cluster as tests use it: by kubectl, like everybody else."""

import json
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

T = TypeVar("T")
Manifest = Mapping[str, Any]

# Long enough to notice and short enough to miss nothing that lasts.
POLL_SECONDS = 0.1


class KubectlError(AssertionError):
    """kubectl failed, with what it said; an assertion, so that `wait_for` waits until it works."""


@dataclass(frozen=True)
class Cluster:
    """A cluster, by the kubeconfig and the kubectl to use."""

    kubeconfig: str
    kubectl_program: str

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = 60) -> str:
        """What kubectl printed."""
        command = [self.kubectl_program, f"--kubeconfig={self.kubeconfig}", *arguments]
        done = subprocess.run(
            command, input=stdin, capture_output=True, text=True, check=False, timeout=seconds
        )
        if done.returncode != 0:
            raise KubectlError(f"kubectl {' '.join(arguments)}: {done.stderr.strip()}")
        return done.stdout

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """An object that is in no namespace, such as a node."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found


@dataclass(frozen=True)
class Namespace:
    """One namespace of a cluster, and everything that a test does in it."""

    cluster: Cluster
    name: str

    def kubectl(self, *arguments: str, stdin: str = "", seconds: float = 60) -> str:
        """What kubectl printed, in this namespace."""
        return self.cluster.kubectl(
            f"--namespace={self.name}", *arguments, stdin=stdin, seconds=seconds
        )

    def apply(self, *manifests: str | Manifest) -> None:
        """Applies YAML documents or objects, as one."""
        texts = (each if isinstance(each, str) else json.dumps(each) for each in manifests)
        self.kubectl("apply", "--server-side", "--filename=-", stdin="\n---\n".join(texts))

    def get(self, kind: str, name: str) -> dict[str, Any]:
        """One object."""
        found: dict[str, Any] = json.loads(self.kubectl("get", kind, name, "--output=json"))
        return found

    def list(self, kind: str, selector: str = "") -> list[dict[str, Any]]:
        """All objects of a kind, or those with the labels of the selector."""
        output = self.kubectl("get", kind, f"--selector={selector}", "--output=json")
        found: list[dict[str, Any]] = json.loads(output)["items"]
        return found

    def patch_status(self, kind: str, name: str, status: Manifest) -> None:
        """Merges into the status of an object, as a controller would."""
        patch = json.dumps({"status": status})
        self.kubectl("patch", kind, name, "--subresource=status", f"--patch={patch}")

    def execute(self, pod: str, *argv: str) -> str:
        """What a command in the pod printed."""
        return self.kubectl("exec", pod, "--", *argv)

    def wait_for(self, check: Callable[[], T], seconds: float = 30) -> T:
        """What `check` returns once none of its assertions fails any more."""
        __tracebackhide__ = True
        return wait_for(check, seconds)

    def report(self) -> str:
        """What a person would look at first when a test has failed here."""
        looks = (
            ("get", "all,configmaps,endpointslices", "--output=wide"),
            ("get", "events", "--sort-by=.lastTimestamp"),
            ("describe", "pods"),
        )
        return "\n".join([*(self._look(*look) for look in looks), *self._logs()])

    def _logs(self) -> Iterator[str]:
        try:
            pods = self.kubectl("get", "pods", "--output=name").split()
        except KubectlError:
            return  # the looks before have said why
        for pod in pods:
            yield self._look("logs", pod, "--all-containers", "--prefix", "--tail=40")

    def _look(self, *arguments: str) -> str:
        try:
            seen = self.kubectl(*arguments)
        except KubectlError as error:
            seen = str(error)
        return f"$ kubectl {' '.join(arguments)}\n{seen}"


def wait_for(check: Callable[[], T], seconds: float = 30) -> T:
    """What `check` returns once none of its assertions fails any more.

    In vain, it fails with the assertion that failed last: what was seen, and what should have been.
    """
    __tracebackhide__ = True
    deadline = time.monotonic() + seconds
    while True:
        try:
            return check()
        except AssertionError as seen:
            if time.monotonic() > deadline:
                raise AssertionError(f"not within {seconds:.0f} s: {seen}") from seen
        time.sleep(POLL_SECONDS)
