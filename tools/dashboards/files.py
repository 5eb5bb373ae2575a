"""The files with dashboards, rules and the table of metrics."""

import json
from pathlib import Path

from tools.dashboards import metrics, rules
from tools.dashboards.fleet import FLEET
from tools.dashboards.grafana import document
from tools.dashboards.model import MODEL

from stoker_operator.documents import to_yaml

ROOT = Path(__file__).parents[2]
NOTE = "# Generated from tools/dashboards by `make generate`. Do not edit.\n"


def generated() -> dict[Path, str]:
    """Each generated file and what should be in it."""
    chart = ROOT / "charts/stoker"
    dashboards = {
        chart / f"dashboards/{each.uid}.json": json.dumps(document(each), indent=1) + "\n"
        for each in (FLEET, MODEL)
    }
    return dashboards | {
        chart / "rules/stoker.yaml": NOTE + to_yaml([rules.document()]),
        ROOT / "docs/metrics.md": metrics.page(),
    }
