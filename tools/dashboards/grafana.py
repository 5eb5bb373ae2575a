"""Dashboards as Grafana reads them: panels in rows, and the JSON that they become."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from itertools import count, starmap
from typing import Any

Json = dict[str, Any]

COLUMNS = 24
SCHEMA_VERSION = 39
SOURCE = {"type": "prometheus", "uid": "${datasource}"}

SCRAPED = ("container", "endpoint", "instance", "job")
"""Labels that tell where a sample was scraped, and nothing of what it is about."""

# No green: there are people who cannot tell it from red.
COLOURS = {"good": "blue", "warn": "yellow", "bad": "red", "calm": "text"}


class Kind(StrEnum):
    """How a panel shows what it asks for."""

    STAT = "stat"
    BARS = "bargauge"
    TABLE = "table"
    LINES = "timeseries"
    STATES = "state-timeline"

    @property
    def is_of_now(self) -> bool:
        """Whether one moment is shown, and no course of time."""
        return self in (Kind.STAT, Kind.BARS, Kind.TABLE)


@dataclass(frozen=True)
class Query:
    """A PromQL expression, and what its series are called: `{{pod}}` is a label's value."""

    expression: str
    legend: str = ""


@dataclass(frozen=True)
class Step:
    """From this value on, this colour."""

    value: float | None
    colour: str


@dataclass(frozen=True)
class Look:
    """How values are shown."""

    unit: str = "short"
    steps: tuple[Step, ...] = (Step(None, "calm"),)
    words: Mapping[int, tuple[str, str]] | None = None
    """What a number stands for: a word, and its colour."""
    colours: Mapping[str, str] | None = None
    """Of series that have always the same, by their names."""
    least: float | None = None
    most: float | None = None
    is_stacked: bool = False
    columns: tuple[str, ...] = ()
    """Of a table, from left to right; those that follow come as they come."""
    hidden: tuple[str, ...] = ()
    """Columns of a table that say nothing to a reader."""


@dataclass(frozen=True)
class Panel:
    """A rectangle that answers one question."""

    title: str
    question: str
    """What it tells, for who points at its title."""
    kind: Kind
    queries: tuple[Query, ...]
    look: Look = Look()
    size: tuple[int, int] = (8, 8)
    """Of the 24 columns, and of as many rows as it takes."""


@dataclass(frozen=True)
class Row:
    """Panels side by side, under a heading."""

    title: str
    panels: tuple[Panel, ...]


@dataclass(frozen=True)
class Variable:
    """What a reader picks at the top: a value of a label."""

    name: str
    label: str
    query: str
    is_multiple: bool = True


@dataclass(frozen=True)
class Dashboard:
    """A page of panels."""

    uid: str
    title: str
    about: str
    variables: tuple[Variable, ...]
    rows: tuple[Row, ...]
    marks: tuple[Query, ...] = ()
    """What is marked in all courses of time, where it is not 0."""


def document(dashboard: Dashboard) -> Json:
    """The dashboard as a file that Grafana imports, and its sidecar takes from a ConfigMap."""
    return {
        "uid": dashboard.uid,
        "title": dashboard.title,
        "description": dashboard.about,
        "tags": ["stoker"],
        "schemaVersion": SCHEMA_VERSION,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "links": [
            {
                "type": "dashboards",
                "title": "Stoker",
                "tags": ["stoker"],
                "keepTime": True,
                "includeVars": True,
            }
        ],
        "annotations": {"list": list(map(_mark, dashboard.marks))},
        "templating": {"list": [_datasource(), *map(_variable, dashboard.variables)]},
        "panels": list(_panels(dashboard.rows)),
    }


def _panels(rows: Sequence[Row]) -> Iterator[Json]:
    """All panels from top to bottom, with a place and a number each."""
    number, y = count(1), 0
    for row in rows:
        yield {
            "id": next(number),
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "panels": [],
            "gridPos": {"x": 0, "y": y, "w": COLUMNS, "h": 1},
        }
        x, y, tallest = 0, y + 1, 0
        for panel in row.panels:
            width, height = panel.size
            if x + width > COLUMNS:
                x, y, tallest = 0, y + tallest, 0
            yield _panel(panel, next(number), {"x": x, "y": y, "w": width, "h": height})
            x, tallest = x + width, max(tallest, height)
        y += tallest


def _panel(panel: Panel, number: int, place: Json) -> Json:
    return {
        "id": number,
        "type": panel.kind,
        "title": panel.title,
        "description": panel.question,
        "datasource": SOURCE,
        "gridPos": place,
        "targets": [
            _target(panel.kind, query, chr(ord("A") + index))
            for index, query in enumerate(panel.queries)
        ],
        "fieldConfig": {
            "defaults": _defaults(panel),
            "overrides": list(starmap(_coloured, (panel.look.colours or {}).items())),
        },
        "options": _OPTIONS[panel.kind],
        "transformations": _columns(panel) if panel.kind is Kind.TABLE else [],
    }


def _target(kind: Kind, query: Query, letter: str) -> Json:
    return {
        "refId": letter,
        "datasource": SOURCE,
        "expr": query.expression,
        "legendFormat": query.legend or "__auto",
        "instant": kind.is_of_now,
        "range": not kind.is_of_now,
        "format": "table" if kind is Kind.TABLE else "time_series",
    }


def _defaults(panel: Panel) -> Json:
    look = panel.look
    limits = {"min": look.least, "max": look.most}
    return {
        "unit": look.unit,
        "color": {"mode": "thresholds" if panel.kind is not Kind.LINES else "palette-classic"},
        "thresholds": {
            "mode": "absolute",
            "steps": [{"value": step.value, "color": COLOURS[step.colour]} for step in look.steps],
        },
        "mappings": [_words(look.words)] if look.words else [],
        "custom": _custom(panel),
    } | {name: limit for name, limit in limits.items() if limit is not None}


def _coloured(series: str, colour: str) -> Json:
    fixed = {"mode": "fixed", "fixedColor": COLOURS[colour]}
    return {
        "matcher": {"id": "byName", "options": series},
        "properties": [{"id": "color", "value": fixed}],
    }


def _custom(panel: Panel) -> Json:
    if panel.kind is Kind.LINES:
        stacking = {"mode": "normal" if panel.look.is_stacked else "none", "group": "A"}
        filled = 40 if panel.look.is_stacked else 0
        return {"stacking": stacking, "fillOpacity": filled, "showPoints": "never", "lineWidth": 1}
    if panel.kind is Kind.STATES:
        return {"fillOpacity": 80, "lineWidth": 0}
    return {}


def _words(words: Mapping[int, tuple[str, str]]) -> Json:
    options = {
        str(value): {"text": text, "color": COLOURS[colour], "index": index}
        for index, (value, (text, colour)) in enumerate(words.items())
    }
    return {"type": "value", "options": options}


def _columns(panel: Panel) -> list[Json]:
    """Rows of several queries become one where their labels are the same."""
    hidden = dict.fromkeys(("Time", "__name__", *panel.look.hidden), True)
    names = {f"Value #{chr(ord('A') + i)}": q.legend for i, q in enumerate(panel.queries)}
    names |= {"Value": panel.queries[0].legend, "stoker_dev_llmdeployment": "llmdeployment"}
    return [
        {"id": "merge", "options": {}},
        {
            "id": "organize",
            "options": {
                "excludeByName": hidden,
                "indexByName": {name: index for index, name in enumerate(panel.look.columns)},
                "renameByName": names,
            },
        },
    ]


def _datasource() -> Json:
    return {"name": "datasource", "label": "Source", "type": "datasource", "query": "prometheus"}


def _variable(variable: Variable) -> Json:
    every = {"text": ["All"], "value": ["$__all"]} if variable.is_multiple else {}
    return {
        "name": variable.name,
        "label": variable.label,
        "type": "query",
        "datasource": SOURCE,
        "query": {"query": variable.query, "refId": "A"},
        "definition": variable.query,
        "refresh": 2,
        "sort": 1,
        "multi": variable.is_multiple,
        "includeAll": variable.is_multiple,
        "current": every,
    }


def _mark(query: Query) -> Json:
    return {
        "name": query.legend,
        "datasource": SOURCE,
        "enable": True,
        "iconColor": COLOURS["bad"],
        "expr": query.expression,
        "titleFormat": query.legend,
        "step": "15s",
    }


_REDUCED = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_LEGEND = {"showLegend": True, "displayMode": "list", "placement": "bottom"}

_OPTIONS: Mapping[Kind, Json] = {
    Kind.STAT: {"reduceOptions": _REDUCED, "colorMode": "value", "graphMode": "none"},
    Kind.BARS: {"reduceOptions": _REDUCED, "orientation": "horizontal", "displayMode": "basic"},
    Kind.TABLE: {"showHeader": True, "cellHeight": "sm"},
    Kind.LINES: {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": "desc"}},
    Kind.STATES: {"mergeValues": True, "showValue": "auto", "legend": _LEGEND},
}
