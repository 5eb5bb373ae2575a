"""An LLMDeployment as its user has it: by kubectl."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bed.cluster import KubectlError, Manifest, Namespace
from bed.fakes import MARK
from stoker_api.reading import read
from stoker_api.wire import LABEL_LLMDEPLOYMENT
from stoker_operator.desired import Settings, desired
from support.manifests import Json, merged

# All that an LLMDeployment can have; a PodMonitor needs the Prometheus operator's API.
CHILDREN = (
    "configmaps",
    "deployments",
    "networkpolicies",
    "persistentvolumeclaims",
    "poddisruptionbudgets",
    "rolebindings",
    "serviceaccounts",
    "services",
)

# On a fake node a pod is Ready, and its gate open, as soon as it is there.
ON_A_FAKE_NODE: Json = {
    "model": "tiny",
    "podTemplate": {
        "nodeSelector": {MARK: "fake"},
        "tolerations": [{"key": MARK, "operator": "Exists"}],
    },
}

SETTLED_SECONDS = 30


def on_a_fake_node(spec: Json | None = None) -> Json:
    """A spec whose pods nobody runs."""
    return merged(ON_A_FAKE_NODE, spec or {})


@dataclass(frozen=True)
class Resource:
    """One LLMDeployment, and what became of it."""

    namespace: Namespace
    name: str
    settings: Settings
    """What its operator runs with."""

    def apply(self, spec: Json, **metadata: Any) -> None:
        """Makes it so, as `kubectl apply --server-side` does."""
        self.namespace.apply(self.manifest(spec, **metadata))

    def manifest(self, spec: Json, **metadata: Any) -> Json:
        return {
            "apiVersion": "stoker.dev/v1alpha1",
            "kind": "LLMDeployment",
            "metadata": {"name": self.name, **metadata},
            "spec": spec,
        }

    def merge(self, patch: Manifest) -> None:
        """Changes a part of it, as `kubectl patch` or `edit` does."""
        self.namespace.kubectl(
            "patch", "llmd", self.name, "--type=merge", f"--patch={json.dumps(patch)}"
        )

    def annotate(self, annotation: str) -> None:
        """Sets `key=value`, or takes `key-` away."""
        self.namespace.kubectl("annotate", "--overwrite", "llmd", self.name, annotation)

    def delete(self, *options: str) -> None:
        self.namespace.kubectl("delete", "llmd", self.name, *options)

    def get(self) -> dict[str, Any]:
        return self.namespace.get("llmd", self.name)

    def status(self) -> dict[str, Any]:
        return dict(self.get().get("status", {}))

    def condition(self, kind: str) -> dict[str, Any]:
        """What its status says of one aspect; the test fails where it says nothing."""
        found = self.status().get("conditions", [])
        (condition,) = [each for each in found if each["type"] == kind] or [None]
        assert condition, f"no condition {kind} among {found}"
        return dict(condition)

    def until_condition(
        self, kind: str, status: str, reason: str, *words: str, seconds: float = 60
    ) -> dict[str, Any]:
        """The condition, once it says this, with these words in its message."""
        __tracebackhide__ = True

        def says_it() -> dict[str, Any]:
            condition = self.condition(kind)
            assert (condition["status"], condition["reason"]) == (status, reason), condition
            assert [word for word in words if word not in condition["message"]] == [], condition
            return condition

        return self.namespace.wait_for(says_it, seconds)

    def children(self) -> dict[tuple[str, str], dict[str, Any]]:
        """What exists with its label, by kind and name."""
        found = self.namespace.list(",".join(CHILDREN), f"{LABEL_LLMDEPLOYMENT}={self.name}")
        return {(each["kind"], each["metadata"]["name"]): each for each in found}

    def child(self, kind: str) -> dict[str, Any]:
        """The only one of its kind."""
        (found,) = [each for (of, _), each in self.children().items() if of == kind]
        return found

    def wanted(self, stored: Json) -> dict[tuple[str, str], Manifest]:
        """What should exist, by kind and name."""
        manifests = desired(read(stored), self.settings)
        return {(each["kind"], each["metadata"]["name"]): each for each in manifests}

    def pods(self) -> dict[str, dict[str, Any]]:
        """Its pods that are not on their way out, by uid."""
        found = self.namespace.list("pods", f"{LABEL_LLMDEPLOYMENT}={self.name}")
        return {
            each["metadata"]["uid"]: each
            for each in found
            if "deletionTimestamp" not in each["metadata"]
        }

    def until_applied(self, seconds: float = SETTLED_SECONDS) -> None:
        """Returns when all it should have is there, and nothing else, and its status is of that."""
        __tracebackhide__ = True
        self.namespace.wait_for(self.assert_applied, seconds)

    def until_hot(self, replicas: int = 1, seconds: float = SETTLED_SECONDS) -> None:
        """Returns when it is applied, and so many pods are hot, and no others are there."""
        __tracebackhide__ = True
        self.namespace.wait_for(lambda: self.assert_hot(replicas), seconds)

    def assert_hot(self, replicas: int) -> None:
        stored = self.get()
        status = stored.get("status", {})
        told = status.get("phase"), status.get("hotReplicas"), status.get("replicas")
        assert told == ("Hot", replicas, replicas), status
        self._assert_applied(stored)

    def assert_applied(self) -> None:
        self._assert_applied(self.get())

    def _assert_applied(self, stored: Json) -> None:
        generation = stored["metadata"]["generation"]
        seen = stored.get("status", {}).get("observedGeneration")
        assert seen == generation, f"status is of generation {seen}, and not of {generation}"
        wanted, found = self.wanted(stored), self.children()
        assert found.keys() == wanted.keys(), f"{sorted(found)} and not {sorted(wanted)}"
        lacks = [what for key in wanted for what in missing(wanted[key], found[key], "/".join(key))]
        assert lacks == [], lacks

    def report(self) -> str:
        """What a person would look at first when something is wrong with it."""
        label = f"--selector={LABEL_LLMDEPLOYMENT}={self.name}"
        looks = (
            ("get", "llmd", self.name, "--output=yaml"),
            ("get", f"{','.join(CHILDREN)},pods", label, "--output=wide"),
            ("describe", "pods", label),
        )
        return "\n".join(self._look(*look) for look in looks)

    def _look(self, *arguments: str) -> str:
        try:
            return self.namespace.kubectl(*arguments)
        except KubectlError as error:
            return str(error)

    def events(self) -> dict[str, int]:
        """How often each reason was told in an event on it."""
        told: dict[str, int] = {}
        for event in self.namespace.list("events"):
            of = event["involvedObject"]
            if (of["kind"], of["name"]) == ("LLMDeployment", self.name):
                told[event["reason"]] = told.get(event["reason"], 0) + event.get("count", 1)
        return told


def missing(wanted: Any, found: Any, place: str) -> Sequence[str]:
    """What is wanted and not found, each with its place; more may be found than is wanted."""
    if isinstance(wanted, Mapping) and isinstance(found, Mapping):
        return [
            what
            for key, value in wanted.items()
            for what in missing(value, found.get(key), f"{place}.{key}")
        ]
    if isinstance(wanted, list) and isinstance(found, list) and len(wanted) == len(found):
        return [
            what
            for number, (one, other) in enumerate(zip(wanted, found, strict=True))
            for what in missing(one, other, f"{place}[{number}]")
        ]
    is_nothing = wanted in ([], {}) and found is None  # the API server leaves it out
    return [] if wanted == found or is_nothing else [f"{place}: {found!r} and not {wanted!r}"]


def exists(namespace: Namespace, kind: str, name: str) -> bool:
    """Whether there is such an object."""
    try:
        namespace.get(kind, name)
    except KubectlError as error:
        if "NotFound" in str(error):
            return False
        raise
    return True
