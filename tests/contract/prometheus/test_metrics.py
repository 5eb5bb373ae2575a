"""What Prometheus' own linter has against the operator's metrics."""

import subprocess

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from bed import tools
from stoker_operator.measures import Measures
from stoker_operator.metrics import WorldCollector
from stoker_operator.queue import WorkQueue
from stoker_operator.world import RESOURCE, Change, World


def test_promtool_has_nothing_against_the_metrics() -> None:
    world, queue, registry = World(), WorkQueue(), CollectorRegistry()
    metadata = {"namespace": "llms", "name": "phi3", "uid": "1"}
    world.see(Change(RESOURCE, {"metadata": metadata, "spec": {"model": "phi3:mini"}}))
    Measures(registry).applied("Service", "ok")
    registry.register(WorldCollector(world, lambda: queue.figures, lambda: True))
    lint = subprocess.run(
        [tools.tool("promtool"), "check", "metrics"],
        input=generate_latest(registry),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, b"")
