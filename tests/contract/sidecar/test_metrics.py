"""What Prometheus' own linter has against a scrape."""

import subprocess

from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest

from bed import tools
from stoker_sidecar.counts import Counts
from stoker_sidecar.figures import Figures
from stoker_sidecar.metrics import SidecarCollector
from support.statuses import HOT


def test_promtool_has_nothing_against_the_metrics() -> None:
    counts = Counts()
    counts.heat_loss(0.02)
    registry = CollectorRegistry()
    registry.register(SidecarCollector(lambda: Figures(HOT, counts, version="0.1.0")))
    lint = subprocess.run(
        [tools.tool("promtool"), "check", "metrics"],
        input=generate_latest(registry),
        capture_output=True,
        check=False,
        timeout=30,
    )
    assert (lint.returncode, lint.stdout + lint.stderr) == (0, b"")
