"""The page: well-formed, whole in itself, and readable by everybody."""

import re
from collections.abc import Iterator
from xml.etree import ElementTree as ET

import pytest

from stoker_demo.judging import limits
from stoker_demo.report import page
from unit.demo.runs import run

RUN = run()
PAGE = page(RUN, 2, limits(RUN))
SVG = "svg"


@pytest.fixture(scope="module")
def root() -> ET.Element:
    """The page, parsed as strictly as XML is."""
    return ET.fromstring(PAGE.removeprefix("<!DOCTYPE html>"))


def drawings(root: ET.Element) -> list[ET.Element]:
    return [each for each in root.iter(SVG) if each.get("role") == "img"]


def of_class(element: ET.Element, *names: str) -> Iterator[ET.Element]:
    return (each for each in element.iter() if set(names) & set(each.get("class", "").split()))


def test_nothing_comes_from_elsewhere(root: ET.Element) -> None:
    tags = {each.tag for each in root.iter()}
    assert not tags & {"script", "link", "img", "iframe", "object", "use", "image"}
    assert not re.search(r"https?://|url\(|@import", PAGE)
    assert not [each for each in root.iter() if each.get("src")]
    assert all(each.get("href", "#").startswith("#") for each in root.iter())


def test_each_side_has_a_drawing_with_a_name(root: ET.Element) -> None:
    labels = [each.get("aria-label") for each in drawings(root)]
    assert labels == ["As today: 44 requests in 20.0 s", "With Stoker: 61 requests in 20.0 s"]


def test_every_request_is_a_dot_that_tells_of_itself(root: ET.Element) -> None:
    kinds = ("good", "slow", "cold", "error", "hang")
    for drawing, side in zip(drawings(root), RUN.sides, strict=True):
        dots = [each for each in of_class(drawing, *kinds) if each.tag != "rect"]
        assert len(dots) == len(side.requests)
        assert all(dot.findtext("title") for dot in dots)


def test_every_dot_and_bar_is_within_the_drawing(root: ET.Element) -> None:
    for drawing in drawings(root):
        *_, width, height = map(float, drawing.get("viewBox", "").split())
        for dot in drawing.iter("circle"):
            assert 0 <= float(dot.get("cx", "-1")) <= width
            assert 0 <= float(dot.get("cy", "-1")) <= height
        for bar in drawing.iter("rect"):
            assert float(bar.get("width", "-1")) >= 0
            assert float(bar.get("x", "0")) + float(bar.get("width", "0")) <= width


def test_a_replica_s_bar_has_its_heat_and_its_gate(root: ET.Element) -> None:
    today, stoker = drawings(root)
    assert [each.get("class") for each in today.iter("rect")] == ["blind", "blind"]
    own = list(stoker.iter("rect"))
    assert [each.get("class") for each in own] == [
        "shut loading",
        "open",
        "shut cold",
        "shut cold",
        "shut loading",
        "open",
    ]
    assert own[3].findtext("title") == (
        "9.3 s, gate shut, Cold/Evicted: tiny had to make room for <other> & others"
    )


def test_a_fault_is_a_link_to_what_is_told_of_it(root: ET.Element) -> None:
    for drawing in drawings(root):
        links = list(drawing.iter("a"))
        assert [each.get("href") for each in links] == ["#act-3", "#act-4"]
        assert links[0].get("aria-label") == "9.0 s, replica 1: a client asks with keep_alive: 0"
    named = {each.get("id") for each in root.iter()}
    assert {"act-1", "act-2", "act-3", "act-4"} <= named


def test_who_cannot_point_finds_each_request_that_was_not_good_in_a_table(
    root: ET.Element,
) -> None:
    today, stoker = root.iter("details")
    rows = [[cell.text for cell in row.iter("td")] for row in today.iter("tr")]
    assert [row[1] for row in rows if row] == ["paid a cold start"] * 2 + ["failed", "hung"]
    assert rows[3] == ["15.1 s", "failed", "-", "100 ms", "status 500: <gone>"]
    assert len(list(stoker.iter("tr"))) == 2


def test_the_page_is_light_or_dark_as_the_reader_has_it() -> None:
    assert "color-scheme: light dark" in PAGE
    assert "prefers-color-scheme: dark" in PAGE
    light, dark = (set(re.findall(r"--(\w+):", part)) for part in PAGE.split("@media")[:2])
    assert light == dark
