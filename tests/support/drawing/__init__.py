"""Dashboards drawn as SVG from what Prometheus answered, for the documentation.

It follows the panels' own places, units, colours and words, and draws every sample that it is
given and nothing else. It is no Grafana: who wants to point and zoom imports the JSON.
"""

from collections.abc import Mapping, Sequence
from html import escape

from support.drawing.courses import lines, states
from support.drawing.moments import bars, stat, table
from support.drawing.shapes import BOLD, HEADING, Box, Course, Span, text
from support.manifests import Json

COLUMN, LINE, GAP = 50, 34, 4
"""Pixels of a column, of a unit of height, and between two panels."""

Answers = Mapping[int, Sequence[Course]]
"""By the ids of panels."""


def drawing(dashboard: Json, answers: Answers, time: Span) -> str:
    """The dashboard as an SVG document."""
    panels = dashboard["panels"]
    rows = max(each["gridPos"]["y"] + each["gridPos"]["h"] for each in panels)
    width, height = 24 * COLUMN, rows * LINE
    drawn = "\n".join(_placed(each, answers.get(each["id"], ()), time) for each in panels)
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}"'
        ' font-family="sans-serif" font-size="11">\n'
        f"<title>{escape(dashboard['title'])}</title>\n"
        f'<rect width="{width}" height="{height}" fill="#eef0f3"/>\n{drawn}\n</svg>\n'
    )


def _placed(panel: Json, found: Sequence[Course], time: Span) -> str:
    place = panel["gridPos"]
    x, y = place["x"] * COLUMN, place["y"] * LINE
    width, height = place["w"] * COLUMN, place["h"] * LINE
    if panel["type"] == "row":
        return text(x + 8, y + 22, panel["title"], size=HEADING)
    inner = Box(x + 12, y + 30, width - 24, height - 40)
    draw = {
        "stat": stat,
        "bargauge": bars,
        "table": table,
        "timeseries": lines,
        "state-timeline": states,
    }[panel["type"]]
    body = "\n".join(draw(panel, found, inner, time))
    frame = (
        f'<rect x="{x + GAP / 2}" y="{y + GAP / 2}" width="{width - GAP}" height="{height - GAP}"'
        ' rx="3" fill="#fff" stroke="#d5d9df"/>'
    )
    return f"{frame}\n{text(x + 12, y + 20, panel['title'], size=BOLD)}\n{body}"
