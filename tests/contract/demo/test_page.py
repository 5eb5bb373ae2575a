"""The page, looked at in a real browser: laid out, legible, and usable without a mouse.

The page has no script. The test adds one to a copy, which writes down what the browser made of it.
"""

import html
import json
import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from contract.demo.browser import seen
from stoker_demo.judging import limits
from stoker_demo.report import page
from unit.demo.runs import run

pytestmark = pytest.mark.slow  # the browser is downloaded once

RUN = replace(run(), server="/a/long/way/to/" + "an-ollama/" * 12)

_LOOK = """
const luminance = colour => {
  const [r, g, b] = colour.match(/[\\d.]+/g).slice(0, 3).map(each => {
    const part = each / 255;
    return part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
  });
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const paper = luminance(getComputedStyle(document.body).backgroundColor);
const contrast = (selector, property) => {
  const found = document.querySelector(selector);
  const ink = luminance(getComputedStyle(found)[property]);
  return (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
};
const plots = [...document.querySelectorAll("svg[role=img]")];
const focused = [...document.querySelectorAll("a, summary")].filter(each => {
  each.focus();
  return document.activeElement === each;
});
const found = {
  paper,
  overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
  dots: plots.map(plot => {
    const frame = plot.getBoundingClientRect();
    return [...plot.querySelectorAll("circle, path.error, path.hang")].filter(dot => {
      const box = dot.getBoundingClientRect();
      return box.width > 0 && box.left >= frame.left - 1 && box.right <= frame.right + 1
        && box.top >= frame.top - 1 && box.bottom <= frame.bottom + 1;
    }).length;
  }),
  focused: focused.map(each => each.getAttribute("aria-label") || each.textContent),
  text: ["body", ".dim", "svg text"].map(
    each => contrast(each, each === "svg text" ? "fill" : "color")),
  shapes: ["circle.good", "circle.cold"].map(each => contrast(each, "fill")),
};
const out = document.createElement("pre");
out.id = "found";
out.textContent = JSON.stringify(found);
document.body.append(out);
"""


def look(folder: Path, width: int, *flags: str) -> Any:
    """What the browser made of the page."""
    copy = folder / "page.html"
    script = f"<script>{_LOOK}</script></body>"
    copy.write_text(page(RUN, 2, limits(RUN)).replace("</body>", script), encoding="utf-8")
    found = re.search(r'<pre id="found">(.*?)</pre>', seen(copy, width, *flags), re.DOTALL)
    assert found
    return json.loads(html.unescape(found[1]))


@pytest.mark.parametrize("width", [1280, 400])
def test_every_request_is_seen_and_the_page_is_never_wider_than_its_window(
    tmp_path: Path, width: int
) -> None:
    found = look(tmp_path, width)
    assert found["dots"] == [len(side.requests) for side in RUN.sides]
    assert found["overflow"] == 0


@pytest.mark.parametrize(("scheme", "is_dark"), [(1, False), (0, True)])
def test_it_is_legible_in_light_and_in_dark(tmp_path: Path, scheme: int, *, is_dark: bool) -> None:
    found = look(tmp_path, 1280, f"--blink-settings=preferredColorScheme={scheme}")
    assert (found["paper"] < 0.1) is is_dark
    assert min(found["text"]) >= 4.5  # what WCAG asks of text
    assert min(found["shapes"]) >= 3  # and of what is drawn


def test_every_fault_and_every_list_is_reached_with_the_keyboard(tmp_path: Path) -> None:
    focused = look(tmp_path, 1280)["focused"]
    marks = [mark for scene in RUN.scenes for mark in scene.marks]
    for mark in marks:
        assert sum(mark.told in each for each in focused) == 2
    assert len(focused) == 2 * len(marks) + 2
