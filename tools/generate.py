"""Writes every file that is made from another: `python -m tools.generate`.

`--check` writes nothing and fails where a file is not as it would be written.
"""

import sys
from pathlib import Path

from tools import chart
from tools.dashboards import files

from stoker_api.crd import custom_resource_definition
from stoker_api.reasons_reference import reasons_reference
from stoker_api.reference import reference
from stoker_operator.documents import to_yaml

ROOT = Path(__file__).parent.parent


def of_the_types() -> dict[Path, str]:
    """The CRD's YAML, the API reference and all reasons."""
    note = "# Generated from crds/stoker_api by `make generate`. Do not edit.\n"
    return {
        ROOT / "crds/llmdeployments.stoker.dev.yaml": note
        + to_yaml([custom_resource_definition()]),
        ROOT / "docs/reference/llmdeployment.md": reference(),
        ROOT / "docs/reference/reasons.md": reasons_reference(),
    }


def main() -> int:
    generated = of_the_types() | chart.generated() | files.generated()
    stale = [
        path for path, text in generated.items() if not path.exists() or path.read_text() != text
    ]
    if "--check" in sys.argv:
        for path in stale:
            sys.stderr.write(f"{path.relative_to(ROOT)} is stale: run `make generate`\n")
        return 1 if stale else 0
    for path in stale:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(generated[path])
    return 0


if __name__ == "__main__":
    sys.exit(main())
