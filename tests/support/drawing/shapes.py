"""What drawings are made of: places, colours, words, and values as people read them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

from support.manifests import Json

Point = tuple[float, float]
"""A time and a value."""
Span = tuple[float, float]
"""From when until when."""

PALETTE = ("#3b7dd8", "#e0792b", "#3f9b4f", "#c4392f", "#8257c4", "#7a6a50", "#c2489c", "#5f6b7a")
COLOURS = {"blue": "#3b7dd8", "yellow": "#d9a400", "red": "#c4392f", "text": "#20262e"}
GREY = "#7d8692"

BOLD, HEADING = 12, 15
"""Sizes of what is read first."""

_BYTES = ("B", "KiB", "MiB", "GiB", "TiB")


@dataclass(frozen=True)
class Course:
    """A series by the name that the panel gives it; of one moment, it has one point."""

    name: str
    labels: Mapping[str, str]
    points: Sequence[Point]
    query: int = 0
    """The number of the query in its panel."""

    @property
    def last(self) -> float:
        return self.points[-1][1]


@dataclass(frozen=True)
class Box:
    """Where something is drawn."""

    x: float
    y: float
    width: float
    height: float


def shown(panel: Json, value: float) -> tuple[str, str]:
    """A value as the panel shows it, and its colour."""
    defaults = panel["fieldConfig"]["defaults"]
    for mapping in defaults["mappings"]:
        if found := mapping["options"].get(f"{value:g}"):
            return found["text"], COLOURS[found["color"]]
    colour = COLOURS["text"]
    for step in defaults["thresholds"]["steps"]:
        if step["value"] is None or value >= step["value"]:
            colour = COLOURS[step["color"]]
    return unit(defaults["unit"], value), colour


def unit(unit: str, value: float) -> str:
    if unit == "bytes":
        power = 0
        while abs(value) >= 1024 and power < len(_BYTES) - 1:
            value, power = value / 1024, power + 1
        return f"{value:.3g} {_BYTES[power]}"
    if unit == "percentunit":
        return f"{100 * value:.3g} %"
    if unit == "s":
        return f"{1000 * value:.3g} ms" if 0 < abs(value) < 1 else f"{value:.3g} s"
    return f"{value:.3g}" + {"watt": " W", "celsius": " °C", "wps": " /s"}.get(unit, "")


def text(x: float, y: float, words: str, colour: str = COLOURS["text"], *, size: float = 11) -> str:
    weight = "bold" if size in (BOLD, HEADING) else "normal"
    return (
        f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size:g}" font-weight="{weight}"'
        f' fill="{colour}">{escape(words)}</text>'
    )


def width(words: str) -> float:
    """How much room they take, about: fonts differ."""
    return 6.4 * len(words)


def clipped(words: str, room: float) -> str:
    """As much of them as there is room for."""
    return words if width(words) <= room else f"{words[: int(room / 6.4) - 1]}…"


def rectangle(box: Box, colour: str) -> str:
    return (
        f'<rect x="{box.x:.1f}" y="{box.y:.1f}" width="{box.width:.1f}"'
        f' height="{box.height:.1f}" fill="{colour}"/>'
    )
