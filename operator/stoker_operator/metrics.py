"""What the operator knows, as series that are computed when somebody scrapes."""

from collections.abc import Callable, Iterator

from prometheus_client.metrics_core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from stoker_operator.queue import Figures
from stoker_operator.world import World

_OF_ONE = ("namespace", "name")


class WorldCollector(Collector):
    """What is known, and what is waiting, at the moment of a scrape."""

    def __init__(
        self, world: World, queue: Callable[[], Figures], is_leader: Callable[[], bool]
    ) -> None:
        self._world = world
        self._queue = queue
        self._is_leader = is_leader

    def collect(self) -> Iterator[Metric]:
        yield from self._of_each()
        yield from self._of_the_queue()
        yield GaugeMetricFamily(
            "stoker_operator_leader",
            "1 in the replica that does the work.",
            value=float(self._is_leader()),
        )
        objects, size = self._world.size()
        yield GaugeMetricFamily("stoker_known_objects", "Objects in view.", value=objects)
        yield GaugeMetricFamily(
            "stoker_known_objects_bytes", "Memory that they are kept in.", value=size
        )

    def _of_each(self) -> Iterator[Metric]:
        about = GaugeMetricFamily(
            "stoker_llmdeployment_info",
            "1 for each LLMDeployment, with its model and phase.",
            labels=(*_OF_ONE, "model", "phase"),
        )
        wanted = GaugeMetricFamily(
            "stoker_llmdeployment_wanted_replicas", "Pods that it should have.", labels=_OF_ONE
        )
        hot = GaugeMetricFamily(
            "stoker_llmdeployment_hot_replicas", "Pods that take traffic.", labels=_OF_ONE
        )
        for key in self._world.keys():  # noqa: SIM118 - it is no mapping
            body = self._world.resource(key) or {}
            spec, status = body.get("spec") or {}, body.get("status") or {}
            model, phase = str(spec.get("model", "")), str(status.get("phase", ""))
            about.add_metric((*key, model, phase), 1)
            wanted.add_metric(key, 0 if spec.get("suspend") else spec.get("replicas", 1))
            hot.add_metric(key, status.get("hotReplicas") or 0)
        yield from (about, wanted, hot)

    def _of_the_queue(self) -> Iterator[Metric]:
        figures = self._queue()
        values = {
            ("stoker_queue_waiting", "LLMDeployments that wait for a pass."): figures.waiting,
            (
                "stoker_queue_longest_wait_seconds",
                "How long the one waits that waits longest.",
            ): figures.longest_wait_seconds,
            ("stoker_queue_running", "Passes under way."): figures.running,
            (
                "stoker_queue_longest_pass_seconds",
                "How long the longest pass has been under way.",
            ): figures.longest_pass_seconds,
            ("stoker_queue_retrying", "LLMDeployments whose last pass failed."): figures.retrying,
        }
        for (name, meaning), value in values.items():
            yield GaugeMetricFamily(name, meaning, value=value)
