"""A real Prometheus in the bed, that scrapes pods as examples/prometheus says.

Debian's has no Kubernetes in it. So the pods are found for it here, and told with the labels by
which its own discovery tells them; what becomes of these is the example's business.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlencode

import yaml

from bed import machine, tools
from bed.cluster import wait_for
from bed.layout import Bed
from support.charts import rendered
from support.manifests import Json

ROOT = Path(__file__).parents[3]
CONFIG = ROOT / "examples/prometheus/prometheus.yaml"
RULES = ROOT / "charts/stoker/rules/stoker.yaml"

PORT = 19090
SCRAPE_SECONDS = 1
START_SECONDS = 60
PODS, OPERATORS = "pods.json", "operators.json"

# Asks an HTTP server that only a machine of the bed reaches: an address in, an answer out, each a
# line.
ASKING = """
import json, sys, urllib.error, urllib.request
for url in sys.stdin:
    try:
        answer = json.load(urllib.request.urlopen(url.strip(), timeout=30))
    except urllib.error.HTTPError as error:
        answer = {"status": "error", "error": error.read().decode()}
    except OSError as error:
        answer = {"status": "error", "error": str(error)}
    print(json.dumps(answer), flush=True)
"""


class QueryError(AssertionError):
    """Prometheus does not answer, or does not understand the question."""


@dataclass(frozen=True)
class Series:
    """One series of an answer."""

    labels: Mapping[str, str]
    points: tuple[tuple[float, float], ...]
    """Times and values; only those that are numbers."""


@dataclass(frozen=True)
class Prometheus:
    """A Prometheus, and a way to ask it."""

    folder: Path
    questions: IO[str]
    answers: IO[str]

    def at(self, expression: str, time: float | None = None) -> list[Series]:
        """What an expression was at a time, or is now."""
        when = {} if time is None else {"time": time}
        found = self._ask("query", query=expression, **when)["result"]
        return _series((each["metric"], [each["value"]]) for each in found)

    def over(self, expression: str, begin: float, end: float, step: float) -> list[Series]:
        """The course of an expression."""
        times = {"start": begin, "end": end, "step": step}
        found = self._ask("query_range", query=expression, **times)["result"]
        return _series((each["metric"], each["values"]) for each in found)

    def until(self, expression: str, seconds: float = 60) -> None:
        """Returns when it has a value that is not 0."""
        __tracebackhide__ = True

        def is_so() -> None:
            found = self.at(expression)
            assert any(value for each in found for _, value in each.points), (
                f"{expression}: {found}"
            )

        wait_for(is_so, seconds)

    def look_at(self, operators: Mapping[str, int]) -> None:
        """Scrapes these operators from now on: the pods that they would be in, and their ports."""
        pods = (_operator_pod(name, port) for name, port in operators.items())
        self._tell(OPERATORS, [target for pod in pods for target in _discovered(pod)])

    def find_pods(self, pods: Iterable[Json]) -> None:
        """Scrapes what these have from now on, if the configuration wants it."""
        self._tell(PODS, [target for pod in pods for target in _discovered(pod)])

    def _tell(self, file: str, targets: Sequence[Json]) -> None:
        scratch = self.folder / f"{file}.new"
        scratch.write_text(json.dumps(targets))
        scratch.replace(self.folder / file)

    def _ask(self, what: str, **parameters: Any) -> dict[str, Any]:
        url = f"http://127.0.0.1:{PORT}/api/v1/{what}?{urlencode(parameters)}"
        self.questions.write(f"{url}\n")
        self.questions.flush()
        answer = json.loads(self.answers.readline())
        if answer["status"] != "success":
            raise QueryError(f"{parameters}: {answer['error']}")
        return dict(answer["data"])


def _operator_pod(name: str, port: int) -> Json:
    """The pod that the chart makes, but for its address: here the operator is a process."""
    (deployment,) = (each for each in rendered(["operator"]) if each["kind"] == "Deployment")
    template = deployment["spec"]["template"]
    (container,) = template["spec"]["containers"]
    (listening,) = container["ports"]
    return {
        "metadata": template["metadata"] | {"name": name, "namespace": "stoker-system"},
        "spec": {"containers": [{"ports": [listening | {"containerPort": port}]}]},
        "status": {"podIP": "127.0.0.1"},
    }


def _discovered(pod: Json) -> Iterator[Json]:
    """A pod's ports, with the labels that Prometheus gives them."""
    meta = "__meta_kubernetes_pod"
    labels = {"__meta_kubernetes_namespace": pod["metadata"]["namespace"]}
    labels[f"{meta}_name"] = pod["metadata"]["name"]
    for name, value in pod["metadata"]["labels"].items():
        known = re.sub(r"\W", "_", name)
        labels |= {f"{meta}_label_{known}": value, f"{meta}_labelpresent_{known}": "true"}
    for container in [*pod["spec"].get("initContainers", ()), *pod["spec"]["containers"]]:
        for port in container["ports"]:
            yield {
                "targets": [f"{pod['status']['podIP']}:{port['containerPort']}"],
                "labels": labels | {f"{meta}_container_port_name": port["name"]},
            }


def _series(found: Iterator[tuple[dict[str, str], list[Any]]]) -> list[Series]:
    every = [
        Series(labels, tuple((time, float(value)) for time, value in points if value != "NaN"))
        for labels, points in found
    ]
    return [each for each in every if each.points]


@contextmanager
def prometheus(bed: Bed, folder: Path) -> Iterator[Prometheus]:
    """A Prometheus on a node."""
    node = bed.nodes()[0]
    config = folder / "prometheus.yaml"
    config.write_text(yaml.dump(_config(folder)))
    argv = [
        str(tools.tool("prometheus")),
        f"--config.file={config}",
        f"--storage.tsdb.path={folder / 'data'}",
        f"--web.listen-address=127.0.0.1:{PORT}",
    ]
    asker = machine.inside(node, [sys.executable, "-c", ASKING])
    with (
        (folder / "prometheus.log").open("w") as log,
        subprocess.Popen(machine.inside(node, argv), stdout=log, stderr=log) as server,
        subprocess.Popen(asker, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as asking,
    ):
        assert asking.stdin
        assert asking.stdout
        running = Prometheus(folder, asking.stdin, asking.stdout)
        running.look_at({})
        running.find_pods([])

        def answers() -> None:
            if server.poll() is not None:
                raise RuntimeError((folder / "prometheus.log").read_text()[-2000:])
            running.at("vector(1)")

        try:
            wait_for(answers, START_SECONDS)
            yield running
        finally:
            asking.kill()
            server.kill()


def _config(folder: Path) -> Json:
    """That of the example, but quicker."""
    config: Json = yaml.safe_load(CONFIG.read_text())
    often = f"{SCRAPE_SECONDS}s"
    config["global"] = {"scrape_interval": often, "evaluation_interval": often}
    config["rule_files"] = [str(RULES)]
    sidecars, operator = config["scrape_configs"]
    for job, file in ((sidecars, PODS), (operator, OPERATORS)):
        del job["kubernetes_sd_configs"]
        job["file_sd_configs"] = [{"files": [str(folder / file)]}]
    return config
