"""What the dashboards ask for, as Grafana would send it."""

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from support.manifests import Json

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "charts/stoker/dashboards"
DASHBOARDS = tuple(sorted(path.stem for path in FOLDER.glob("*.json")))

_VARIABLE = re.compile(r"\$(\w+)")
_LABEL_VALUES = re.compile(r"label_values\((.*), (\w+)\)")
_LABEL = re.compile(r"\{\{(\w+)\}\}")


@dataclass(frozen=True)
class Question:
    """One expression of a panel."""

    dashboard: str
    panel: str
    expression: str
    legend: str
    is_of_now: bool
    number: int = 0
    """Which of the panel's it is."""
    panel_id: int | None = None
    """None: it is a mark, and no panel's."""

    def asked(self, values: Mapping[str, str]) -> str:
        """The expression, with values for its variables."""
        return substituted(self.expression, values)

    def named(self, labels: Mapping[str, str]) -> str:
        """What a series is called that has these labels."""
        if self.legend == "__auto":
            return " ".join(labels.values())
        return _LABEL.sub(lambda found: labels.get(found[1], ""), self.legend)

    @property
    def counts_events(self) -> bool:
        """Whether 0 tells that nothing has happened."""
        return "clamp_min" in self.expression


@cache
def dashboard(name: str) -> Json:
    """A dashboard as it is in the chart."""
    found: Json = json.loads((FOLDER / f"{name}.json").read_text())
    return found


def panels(name: str) -> list[Json]:
    """Its panels, without the headings of rows."""
    return [panel for panel in dashboard(name)["panels"] if panel["type"] != "row"]


def questions(name: str) -> Iterator[Question]:
    """All that a dashboard asks for: in its panels, and for its marks."""
    for panel in panels(name):
        for number, target in enumerate(panel["targets"]):
            yield Question(
                name,
                panel["title"],
                target["expr"],
                target["legendFormat"],
                is_of_now=target["instant"],
                number=number,
                panel_id=panel["id"],
            )
    for mark in dashboard(name)["annotations"]["list"]:
        yield Question(name, mark["name"], mark["expr"], mark["titleFormat"], is_of_now=False)


def variables(name: str) -> dict[str, tuple[str, str]]:
    """What each of its variables is made of: the series, and the label whose values they are."""
    return {
        each["name"]: _values(each["query"]["query"])
        for each in dashboard(name)["templating"]["list"]
        if each["type"] == "query"
    }


def _values(query: str) -> tuple[str, str]:
    found = _LABEL_VALUES.fullmatch(query)
    assert found, query
    return found[1], found[2]


def substituted(expression: str, values: Mapping[str, str]) -> str:
    """The expression, with values for its variables."""
    return _VARIABLE.sub(lambda found: values[found[1]], expression)
