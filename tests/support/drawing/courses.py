"""Panels that show a course of time."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from support.drawing.shapes import (
    COLOURS,
    GREY,
    PALETTE,
    Box,
    Course,
    Point,
    Span,
    rectangle,
    text,
    unit,
    width,
)
from support.manifests import Json

NAMES_WIDTH, VALUES_WIDTH, BELOW = 150, 56, 40
"""What is left free for names of rows, for values at lines, and below for times and the legend."""


@dataclass(frozen=True)
class Plane:
    """Where times and values are."""

    box: Box
    time: Span
    values: Span = (0.0, 1.0)

    def across(self, at: float) -> float:
        begin, end = self.time
        return self.box.x + (at - begin) / (end - begin) * self.box.width

    def up(self, value: float) -> float:
        least, most = self.values
        return self.floor - (value - least) / ((most - least) or 1.0) * self.box.height

    @property
    def floor(self) -> float:
        return self.box.y + self.box.height


def states(panel: Json, found: Sequence[Course], box: Box, time: Span) -> Iterator[str]:
    words = panel["fieldConfig"]["defaults"]["mappings"][0]["options"]
    plane = _plane(box, time, NAMES_WIDTH)
    height = plane.box.height / max(1, len(found))
    for number, each in enumerate(found):
        y = box.y + number * height
        yield text(box.x, y + height * 0.6, each.name)
        for begin, end, value in _lasting(each.points):
            word = words[f"{value:g}"]
            left, right = plane.across(begin), plane.across(min(end, time[1]))
            strip = Box(left, y + 3, right - left, height - 6)
            yield rectangle(strip, COLOURS[word["color"]])
            if width(word["text"]) < strip.width:
                yield text(left + 4, y + height * 0.6, word["text"], "#fff")
    yield from _times(plane)


def lines(panel: Json, found: Sequence[Course], box: Box, time: Span) -> Iterator[str]:
    defaults = panel["fieldConfig"]["defaults"]
    is_stacked = defaults["custom"]["stacking"]["mode"] == "normal"
    courses = _stacked(found) if is_stacked else [each.points for each in found]
    plane = _plane(box, time, VALUES_WIDTH, _limits(defaults, courses))
    yield from _values(plane, box.x, defaults["unit"])
    told = list(_coloured(panel, found))
    for points, (_, colour) in reversed(list(zip(courses, told, strict=True))):
        for part in _unbroken(points):
            yield _line(plane, part, colour, is_stacked=is_stacked)
    yield from _times(plane)
    yield from _legend(box, told)


def _coloured(panel: Json, found: Sequence[Course]) -> Iterator[tuple[str, str]]:
    """The name of each course, and its colour."""
    fixed = {
        each["matcher"]["options"]: COLOURS[each["properties"][0]["value"]["fixedColor"]]
        for each in panel["fieldConfig"]["overrides"]
    }
    for number, each in enumerate(found):
        yield each.name, fixed.get(each.name, PALETTE[number % len(PALETTE)])


def _plane(box: Box, time: Span, left: float, values: Span = (0.0, 1.0)) -> Plane:
    return Plane(Box(box.x + left, box.y, box.width - left, box.height - BELOW), time, values)


def _limits(defaults: Json, courses: Sequence[Sequence[Point]]) -> Span:
    values = [value for points in courses for _, value in points]
    most = float(defaults.get("max") or max(values, default=1.0) * 1.05 or 1.0)
    return float(defaults.get("min", min(values, default=0.0))), most


def _line(plane: Plane, part: Sequence[Point], colour: str, *, is_stacked: bool) -> str:
    places = [(plane.across(at), plane.up(value)) for at, value in part]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in places)
    first, last = places[0], places[-1]
    if len(part) == 1:
        return rectangle(Box(first[0] - 1, first[1] - 1, 2, 2), colour)
    if is_stacked:
        ends = f"{last[0]:.1f},{plane.floor} {first[0]:.1f},{plane.floor}"
        return f'<polygon points="{path} {ends}" fill="{colour}" stroke="#fff" stroke-width="0.5"/>'
    return f'<polyline points="{path}" fill="none" stroke="{colour}" stroke-width="1.5"/>'


def _stacked(found: Sequence[Course]) -> list[Sequence[Point]]:
    """Each course on top of those before it; where one has no sample it adds nothing."""
    floor = dict.fromkeys(sorted({at for each in found for at, _ in each.points}), 0.0)
    courses: list[Sequence[Point]] = []
    for each in found:
        values = dict(each.points)
        floor = {at: below + values.get(at, 0.0) for at, below in floor.items()}
        courses.append(list(floor.items()))
    return courses


def _step(points: Sequence[Point]) -> float:
    """How far samples are apart."""
    return min((after - before for (before, _), (after, _) in pairwise(points)), default=0.0)


def _lasting(points: Sequence[Point]) -> Iterator[tuple[float, float, float]]:
    """From when to when each value lasted."""
    for part in _unbroken(points):
        changes = [at for (_, before), (at, now) in pairwise(part) if before != now]
        values = dict(part)
        begins = [part[0][0], *changes]
        for begin, end in zip(begins, [*changes, part[-1][0] + _step(points)], strict=True):
            yield begin, end, values[begin]


def _unbroken(points: Sequence[Point]) -> Iterator[list[Point]]:
    """The parts of a course between which there was no sample."""
    step, part = _step(points), [points[0]]
    for point in points[1:]:
        if point[0] - part[-1][0] > 1.5 * step:
            yield part
            part = []
        part.append(point)
    yield part


def _values(plane: Plane, x: float, unit_name: str) -> Iterator[str]:
    least, most = plane.values
    for share in (0.0, 0.5, 1.0):
        value = least + share * (most - least)
        y = plane.up(value)
        right = plane.box.x + plane.box.width
        yield f'<path d="M{plane.box.x} {y:.1f}H{right}" stroke="#e3e6ea"/>'
        yield text(x, y + 4, unit(unit_name, value), GREY)


def _times(plane: Plane) -> Iterator[str]:
    begin, end = plane.time
    minutes = int((end - begin) / 60)
    for minute in range(0, minutes + 1, max(1, minutes // (4 if plane.box.width < 600 else 10))):
        yield text(plane.across(begin + 60 * minute), plane.floor + 16, f"{minute} min", GREY)


def _legend(box: Box, told: Sequence[tuple[str, str]]) -> Iterator[str]:
    x, y = box.x, box.y + box.height - 4
    for name, colour in told:
        length = 20 + width(name)
        if x + length > box.x + box.width:
            break
        yield rectangle(Box(x, y - 8, 8, 8), colour)
        yield text(x + 11, y, name)
        x += length
