"""A board with a small fleet, its page, and a browser to look at it."""

from collections.abc import Iterator

import pytest

from support.browser import Browser, Page, browsing
from support.fleets import GPU, Fleet
from support.pods_seen import pod, sidecar
from support.shown import Shown, shown

CODER = ("llms", "coder")
"""Of two pods one has crashed."""
LLAMA = ("llms", "llama")
"""Hot, on a GPU with a budget."""
VISION = ("search", "vision")
"""Fits nowhere."""


@pytest.fixture
def fleet() -> Fleet:
    made = Fleet()
    made.look(LLAMA, GPU, pod("llama-a").hot(), sidecars={"llama-a": sidecar()})
    made.look(VISION, {"model": "llava:13b"}, pod("vision-a").unschedulable("no GPU is left"))
    two = {"replicas": 2, "model": "qwen2.5-coder:7b"}
    made.look(CODER, two, pod("coder-a").hot(), pod("coder-b").hot())
    made.seconds = 600
    crashed = pod("coder-b").shut("Crashed", "its process has ended: it crashed", at=695)
    made.look(CODER, two, pod("coder-a").hot(), crashed)
    made.seconds = 660
    return made


@pytest.fixture
def page(fleet: Fleet) -> Iterator[Shown]:
    with shown(fleet.board) as page:
        yield page


@pytest.fixture(scope="session")
def browser(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Browser]:
    with browsing(tmp_path_factory.mktemp("browser")) as browser:
        yield browser


@pytest.fixture
def tab(browser: Browser, page: Shown) -> Iterator[Page]:
    """The page in a browser, with all lines; it must not have complained at the end."""
    browser.complaints.clear()
    tab = browser.page()
    tab.look_like(1280)
    tab.open(page.url)
    tab.until("document.querySelectorAll('.line').length === 3")
    yield tab
    tab.close()
    assert browser.complaints == []
