"""Writes dashboards, rules and the table of metrics: `python -m tools.dashboards`.

`--check` writes nothing and fails where a file is not as it would be written.
"""

import json
import sys
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


def main() -> int:
    stale = [
        path for path, text in generated().items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make generate`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated()[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
