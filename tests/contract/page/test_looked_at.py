"""The page, looked at in a real browser: true, live, legible, and usable without a mouse."""

import json
from functools import partial
from typing import Any

import pytest

from contract.page.conftest import CODER, LLAMA, VISION
from support.browser import Browser, Page
from support.fleets import GPU, Fleet
from support.pods_seen import pod
from support.shown import Shown

pytestmark = pytest.mark.slow  # the browser is downloaded once

NAMES = (
    "[...document.querySelectorAll('.line')].map(each => each.querySelector('.name').textContent)"
)


def text(tab: Page, selector: str) -> Any:
    return tab.evaluate(f"document.querySelector({json.dumps(selector)}).textContent")


def line(of: tuple[str, str]) -> str:
    """The selector of its line."""
    return f"[href='#/{'/'.join(of)}']"


def test_all_are_there_the_worst_first(tab: Page) -> None:
    assert tab.evaluate(NAMES) == ["coder", "vision", "llama"]
    coder = text(tab, line(CODER))
    assert "Degraded" in coder
    assert "1/2" in coder
    assert "it crashed" in coder
    tab.until("document.querySelector('#sum').innerText === '1 of 3 models hot, 2 of 4 pods'")
    assert tab.evaluate("document.title") == "2 not hot · Stoker"


def test_what_changes_is_shown_as_it_changes(tab: Page, fleet: Fleet, page: Shown) -> None:
    page.do(lambda: fleet.look(VISION, {"model": "llava:13b"}, pod("vision-a").hot()))
    tab.until(f"document.querySelector(`{line(VISION)} .mark`).innerText === 'Hot'")
    assert tab.evaluate(NAMES) == ["coder", "llama", "vision"]
    page.do(lambda: fleet.leave(CODER))
    tab.until(f"({NAMES}).join() === 'llama,vision'")
    page.do(lambda: fleet.look(("llms", "new"), {}))
    tab.until(f"({NAMES}).join() === 'new,llama,vision'")


def test_one_of_them_is_shown_with_its_pods_their_hour_and_its_start(
    tab: Page, fleet: Fleet, page: Shown
) -> None:
    tab.evaluate(f"document.querySelector(`{line(LLAMA)}`).click()")
    tab.until("document.querySelectorAll('.pod').length === 1")
    shown = text(tab, "#one")
    assert "2.0 GiB" not in shown
    assert "1.9 GiB of 24.0 GiB" in shown
    assert tab.evaluate("document.querySelectorAll('.starts tr').length") >= 4
    words = "document.querySelector('.pod .past').getAttribute('aria-label')"
    assert tab.evaluate(words) == "Last 15 min: Hot 12 min"
    crashed = pod("llama-a").shut("Crashed", "it crashed", at=760)
    page.do(lambda: fleet.look(LLAMA, GPU, crashed))
    tab.until("document.querySelector('.pod .mark')?.innerText === 'Cold'")
    assert "it crashed" in text(tab, ".pod")


def test_everything_is_reached_with_the_keyboard(tab: Page) -> None:
    focused = "document.activeElement.getAttribute('href') || document.activeElement.id"
    tab.press("ArrowDown")
    tab.press("ArrowDown")
    assert tab.evaluate(focused) == "#/search/vision"
    tab.press("Enter")
    tab.until("document.querySelector('#title')?.innerText.startsWith('vision')")
    tab.until("document.querySelector('.pod')")
    tab.press("Escape")
    tab.until("!document.querySelector('#list').hidden")
    assert tab.evaluate(focused) == "#/search/vision"
    tab.press("/")
    assert tab.evaluate(focused) == "find"
    for key in "crash":
        tab.press(key)
    shown = "[...document.querySelectorAll('#lines .line')].map(each => each.hash)"
    assert tab.evaluate(shown) == ["#/llms/coder"]
    tab.press("Escape")
    assert len(tab.evaluate(shown)) == 3
    tab.until("document.querySelector('#only-Hot')")  # phases are counted a moment later
    tab.evaluate("document.querySelector('#only-Hot').focus()")
    tab.press("Enter")
    assert tab.evaluate(shown) == ["#/llms/llama"]
    assert tab.evaluate("document.querySelector('#only-Hot').ariaPressed") == "true"


def test_what_is_open_stays_open_and_focused_while_it_is_told_anew(
    tab: Page, fleet: Fleet, page: Shown
) -> None:
    tab.evaluate("location.hash = '#/llms/coder'")
    tab.until("document.querySelectorAll('.pod').length === 2")
    tab.evaluate("const fold = document.querySelector('summary'); fold.focus(); fold.click()")
    again = pod("coder-b").shut("Loading", "Loading it", at=700)
    two = {"replicas": 2, "model": "qwen2.5-coder:7b"}
    page.do(lambda: fleet.look(CODER, two, pod("coder-a").hot(), again))
    tab.until("document.querySelector('#one').innerText.includes('Loading it')")
    assert tab.evaluate("document.querySelector('details').open")
    assert tab.evaluate("document.activeElement.tagName") == "SUMMARY"


def test_what_others_write_is_text_and_no_markup(tab: Page, fleet: Fleet, page: Shown) -> None:
    evil = "<img src=x onerror='document.title=1'><script>document.title=1</script>"
    crashed = pod("<b>a</b>").shut("Crashed", evil, at=700)
    page.do(lambda: fleet.look(CODER, {}, crashed))
    tab.until(f"document.querySelector(`{line(CODER)}`).innerText.includes('onerror')")
    tab.evaluate("location.hash = '#/llms/coder'")
    tab.until("document.querySelector('.pod')?.innerText.includes('onerror')")
    assert tab.evaluate("document.querySelectorAll('main b, main img, main script').length") == 0
    assert tab.evaluate("document.title") != "1"


def test_a_stream_that_ends_is_said_and_comes_back(
    tab: Page, browser: Browser, fleet: Fleet, page: Shown
) -> None:
    tab.until("everHeard")
    tab.call("Network.enable")
    offline = {"latency": 0, "downloadThroughput": -1, "uploadThroughput": -1}
    page.absence = "This replica waits"
    page.do(lambda: fleet.look(("llms", "new"), {}))  # and the stream goes on, until it is cut
    tab.call("Network.emulateNetworkConditions", offline=True, **offline)
    tab.until("fetch('page.js').then(() => false, () => true)")
    tab.evaluate("follow()")
    tab.until("document.querySelector('#live').innerText.startsWith('no word from the operator')")
    assert tab.evaluate("document.body.classList.contains('stale')")
    tab.call("Network.emulateNetworkConditions", offline=False, **offline)
    tab.until("document.querySelector('#absence').innerText === 'This replica waits'")
    page.absence = None
    tab.until("document.querySelector('#live').innerText === 'live'")
    assert tab.evaluate("document.querySelector('#absence').hidden")
    assert "new" in tab.evaluate(NAMES)
    browser.complaints.clear()  # the browser complains of the cut, rightly


def test_an_empty_cluster_is_said_to_be_empty(tab: Page, fleet: Fleet, page: Shown) -> None:
    for key in (CODER, LLAMA, VISION):
        page.do(partial(fleet.leave, key))
    tab.until("!document.querySelector('#nothing').hidden")
    assert "There are no LLMDeployments yet" in text(tab, "#nothing")


@pytest.mark.parametrize("width", [360, 800, 1280, 2000])
def test_the_page_is_never_wider_than_its_window(tab: Page, width: int) -> None:
    tab.look_like(width)
    assert tab.overflow() <= 0
    tab.evaluate("location.hash = '#/llms/coder'")
    tab.until("document.querySelector('.pod')")
    assert tab.overflow() <= 0


@pytest.mark.parametrize("dark", [False, True])
def test_it_is_legible_in_light_and_in_dark(tab: Page, *, dark: bool) -> None:
    tab.look_like(1280, dark=dark)
    paper = tab.evaluate("getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") is not dark
    texts = ("body", ".dim, .keys", ".why", ".mark.hot", ".mark.way", ".mark.bad", "#live")
    assert tab.least_contrast("color", *texts) >= 4.5  # what WCAG asks of text
    shapes = (".past .hot", ".past .way", ".past .bad")
    assert tab.least_contrast("fill", *shapes) >= 3  # and of what is drawn


def test_a_thousand_are_shown_found_and_followed(
    browser: Browser, fleet: Fleet, page: Shown
) -> None:
    def many() -> None:
        for number in range(1000):
            fleet.look(("many", f"model-{number:04}"), {}, pod(f"p-{number}").hot())

    page.do(many)
    tab = browser.page()
    tab.look_like(1280)
    tab.open(page.url)
    tab.until("document.querySelectorAll('.line').length === 1003", seconds=60)
    tab.press("/")
    for key in "0777":
        tab.press(key)
    shown = "[...document.querySelectorAll('#lines .line')].map(each => each.hash)"
    assert tab.evaluate(shown) == ["#/many/model-0777"]
    cold = pod("p-777").shut("Crashed", "it crashed", at=700)
    page.do(lambda: fleet.look(("many", "model-0777"), {}, cold))
    tab.until("document.querySelector('#lines .line').hash === '#/many/model-0777'")
    tab.close()
