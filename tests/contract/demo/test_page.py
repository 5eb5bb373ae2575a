"""The page, looked at in a real browser: laid out, legible, and usable without a mouse."""

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from stoker_demo.judging import limits
from stoker_demo.report import page
from support.browser import Page, browsing
from unit.demo.runs import run

pytestmark = pytest.mark.slow  # the browser is downloaded once

RUN = replace(run(), server="/a/long/way/to/" + "an-ollama/" * 12)

# How many of a plot's dots are within its frame.
_DOTS = """
[...document.querySelectorAll("svg[role=img]")].map(plot => {
  const frame = plot.getBoundingClientRect();
  return [...plot.querySelectorAll("circle, path.error, path.hang")].filter(dot => {
    const box = dot.getBoundingClientRect();
    return box.width > 0 && box.left >= frame.left - 1 && box.right <= frame.right + 1
      && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
  }).length;
})
"""
_FOCUSED = """
[...document.querySelectorAll("a, summary")].filter(each => {
  each.focus();
  return document.activeElement === each;
}).map(each => each.getAttribute("aria-label") || each.textContent)
"""


@pytest.fixture
def report(tmp_path: Path) -> Iterator[Page]:
    """The page, in a browser."""
    file = tmp_path / "page.html"
    file.write_text(page(RUN, 2, limits(RUN)), encoding="utf-8")
    with browsing(tmp_path) as browser:
        tab = browser.page()
        tab.look_like(1280, 1800)
        tab.open(file.as_uri())
        yield tab
        assert browser.complaints == []


@pytest.mark.parametrize("width", [1280, 400])
def test_every_request_is_seen_and_the_page_is_never_wider_than_its_window(
    report: Page, width: int
) -> None:
    report.look_like(width, 1800)
    assert report.evaluate(_DOTS) == [len(side.requests) for side in RUN.sides]
    assert report.overflow() == 0


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_legible_in_light_and_in_dark(report: Page, *, dark: bool) -> None:
    report.look_like(1280, 1800, dark=dark)
    paper = report.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    assert report.least_contrast("color", "body", ".dim") >= 4.5  # what WCAG asks of text
    assert report.least_contrast("fill", "svg text") >= 4.5
    assert report.least_contrast("fill", "circle.good", "circle.cold") >= 3  # and of what is drawn


def test_every_fault_and_every_list_is_reached_with_the_keyboard(report: Page) -> None:
    focused = report.evaluate(_FOCUSED)
    marks = [mark for scene in RUN.scenes for mark in scene.marks]
    for mark in marks:
        assert sum(mark.told in each for each in focused) == 2
    assert len(focused) == 2 * len(marks) + 2
