"""A release of the chart, as `helm` installs, upgrades and removes it."""

import json
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from bed.cluster import KubectlError, Namespace
from cluster.operator.resource import Resource
from stoker_operator.desired import Settings
from support.charts import CHART, HelmError, helm
from support.manifests import Json, merged

READY_SECONDS = 120
OPERATORS = "app.kubernetes.io/component=operator"


@dataclass(frozen=True)
class Release:
    """One release; its objects that are in no namespace are called after it."""

    namespace: Namespace
    name: str
    values: Json

    @property
    def fullname(self) -> str:
        return self.name if "stoker" in self.name else f"{self.name}-stoker"

    def operators(self) -> list[Json]:
        """The operator's pods."""
        return self.namespace.list("pods", OPERATORS)

    def install(self, values: Json | None = None) -> None:
        """Returns when the operator is ready."""
        self._put("install", CHART, values, "--create-namespace")

    def upgrade(self, chart: Path = CHART, values: Json | None = None) -> None:
        """Returns when the operator's new pods are ready."""
        self._put("upgrade", chart, values)

    def helm(self, command: str, *arguments: str, stdin: str = "") -> str:
        """What helm printed."""
        where = (
            f"--kubeconfig={self.namespace.cluster.kubeconfig}",
            f"--namespace={self.namespace.name}",
        )
        return helm(command, self.name, *arguments, *where, stdin=stdin, seconds=2 * READY_SECONDS)

    def resource(self, name: str) -> Resource:
        """An LLMDeployment for it to look after."""
        image = f"localhost/stoker-sidecar:{self.values['sidecar']['image']['tag']}"
        settings = Settings(image, sidecar_cluster_role=f"{self.fullname}-sidecar")
        return Resource(self.namespace, name, settings)

    def report(self) -> str:
        """The end of what its operators have logged."""
        try:
            return self.namespace.kubectl(
                "logs", f"--selector={OPERATORS}", "--prefix", "--tail=60"
            )
        except KubectlError as error:
            return str(error)

    def remove(self) -> None:
        """Leaves nothing of it but the API, which others use as well."""
        with suppress(HelmError):  # the test has uninstalled it
            self.helm("uninstall", "--wait")
        kinds = "clusterrole,validatingadmissionpolicy,validatingadmissionpolicybinding"
        ours = f"--selector=app.kubernetes.io/instance={self.name}"
        self.namespace.kubectl("delete", kinds, ours, "--ignore-not-found")

    def _put(self, command: str, chart: Path, values: Json | None, *options: str) -> None:
        # The API may have been installed by kubectl, and be used by other tests as well.
        adopting = ("--take-ownership", "--force-conflicts")
        waiting = ("--wait", f"--timeout={READY_SECONDS}s")
        wanted = json.dumps(merged(self.values, values or {}))
        self.helm(command, str(chart), "--values=-", *adopting, *waiting, *options, stdin=wanted)


def released(namespace: Namespace, values: Json) -> Iterator[Release]:
    """A release that is not installed yet, and is gone after the test."""
    release = Release(namespace, f"r{namespace.name[-6:]}", values)
    yield release
    release.remove()
