"""Panels that show one moment."""

from collections.abc import Iterator, Sequence

from support.drawing.shapes import (
    COLOURS,
    GREY,
    Box,
    Course,
    Span,
    clipped,
    rectangle,
    shown,
    text,
    width,
)
from support.manifests import Json

ROW = 18
"""Pixels of a table's row."""


def stat(panel: Json, found: Sequence[Course], box: Box, _: Span) -> Iterator[str]:
    share = box.width / max(1, len(found))
    for number, each in enumerate(found):
        value, colour = shown(panel, each.last)
        x = box.x + number * share
        yield text(x, box.y + 34, value, colour, size=26)
        if len(found) > 1:
            yield text(x, box.y + 54, each.name, GREY)


def bars(panel: Json, found: Sequence[Course], box: Box, _: Span) -> Iterator[str]:
    most = panel["fieldConfig"]["defaults"].get("max") or max(
        (each.last for each in found), default=1.0
    )
    height = min(26.0, box.height / max(1, len(found)))
    for number, each in enumerate(sorted(found, key=lambda one: one.name)):
        y = box.y + number * height
        value, colour = shown(panel, each.last)
        length = (box.width - 70) * each.last / most if most else 0
        name = clipped(each.name, box.width)
        yield text(box.x, y + height * 0.4, name, GREY, size=min(11, height * 0.42))
        yield rectangle(Box(box.x, y + height * 0.5, max(1.0, length), height * 0.4), colour)
        yield text(box.x + box.width - 64, y + height * 0.85, value, size=min(12, height * 0.6))


def table(panel: Json, found: Sequence[Course], box: Box, _: Span) -> Iterator[str]:
    rows = _rows(panel, found)
    x = box.x
    for name in dict.fromkeys(name for row in rows for name in row):
        cells = [name, *(row.get(name, "") for row in rows[: int(box.height / ROW) - 1])]
        for number, cell in enumerate(cells):
            colour = COLOURS["text"] if number else GREY
            yield text(x, box.y + 12 + number * ROW, cell, colour)
        x += 16 + width(max(cells, key=len))


def _rows(panel: Json, found: Sequence[Course]) -> list[dict[str, str]]:
    """The answers as Grafana merges them: a row for each that differs in more than its value."""
    options = panel["transformations"][1]["options"]
    hidden, names = options["excludeByName"], options["renameByName"]
    merged: dict[tuple[str, ...], dict[str, str]] = {}
    shared = sorted(set.intersection(*(set(each.labels) for each in found))) if found else []
    for each in found:
        value = f"Value #{chr(ord('A') + each.query)}" if len(panel["targets"]) > 1 else "Value"
        cells = {**each.labels, value: shown(panel, each.last)[0]}
        row = merged.setdefault(tuple(each.labels[name] for name in shared), {})
        row |= {name: cell for name, cell in cells.items() if name not in hidden}
    places = options["indexByName"]
    return [
        {
            names.get(name, name): row[name]
            for name in sorted(row, key=lambda name: places.get(name, len(places)))
        }
        for row in merged.values()
    ]
