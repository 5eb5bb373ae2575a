"""What the status page costs: the operator, looked at or not, and a browser.

`PYTHONPATH=tests python -m bench.page [--objects 1000]`. The operator's side is measured in this
process, on a fleet as the operator knows it; the browser is a real one.
"""

import argparse
import gc
import tempfile
import time
import tracemalloc
from pathlib import Path

from bench import table

from stoker_operator.page.serving import AT_ONCE
from stoker_operator.world import Change, Key
from support.browser import Page, browsing
from support.fleets import Fleet
from support.pods_seen import pod
from support.shown import shown

PASS_MS = 0.5
"""What a pass takes of the processor that finds all as it was (docs/operator.md)."""
STRETCH_MS = 20.0
"""For so long nothing else may have to wait."""
CHANGES = 20
FRAME_MS = 200.0
"""What is answered within this feels immediate; no stretch of work should hold a page up longer."""

LONG_TASKS = """
window.longest = 0;
new PerformanceObserver(list => {
  for (const each of list.getEntries()) longest = Math.max(longest, each.duration);
}).observe({ type: "longtask", buffered: true });
"""


def key_of(number: int) -> Key:
    return f"team-{number % 20}", f"model-{number:04}"


def changed(fleet: Fleet, number: int) -> None:
    """One becomes hot, and then not."""
    hot = pod(f"p-{number}").hot()
    lost = pod(f"p-{number}").shut(
        "Crashed", "The process that held phi3:mini has ended: it crashed"
    )
    for each in (hot, lost):
        fleet.seconds += 1
        fleet.look(key_of(number), {}, each)


class Timed:
    """Takes in changes for a board, and the time that takes."""

    def __init__(self, fleet: Fleet) -> None:
        self._fleet = fleet
        self.seconds = 0.0
        self.changes = 0

    def saw(self, key: Key, change: Change) -> None:
        began = time.perf_counter()
        self._fleet.board.saw(key, change)
        self.seconds += time.perf_counter() - began
        self.changes += 1


def held(objects: int, *, remembers: bool) -> int:
    """Memory that a fleet takes after four changes of each."""
    tracemalloc.start()
    fleet = Fleet()
    if not remembers:
        fleet.known.onlooker = None
    for _ in range(2):
        for number in range(objects):
            changed(fleet, number)
    gc.collect()
    taken, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    return taken


def the_operators(objects: int) -> Fleet:
    """What it costs to remember, and to tell."""
    fleet = Fleet()
    timed = Timed(fleet)
    fleet.known.onlooker = timed.saw
    for _ in range(2):
        for number in range(objects):
            changed(fleet, number)
    fleet.known.onlooker = fleet.board.saw
    each = 1000 * timed.seconds / timed.changes
    remark = f"mean of {timed.changes}; a pass takes some {PASS_MS:g} ms"
    table.row("a change, while nobody looks", each, "ms", PASS_MS / 5, remark)

    kept = (held(objects, remembers=True) - held(objects, remembers=False)) / 2**20
    table.row(f"memory for the last hour of {objects}", kept, "MiB", 3.0, "of 150 MiB in all")

    stretches = []
    keys = fleet.known.keys()
    for first in range(0, len(keys), AT_ONCE):
        began = time.perf_counter()
        for key in keys[first : first + AT_ONCE]:
            fleet.board.line(key)
        stretches.append(time.perf_counter() - began)
    table.times(f"{AT_ONCE} lines, between which others have their turn", stretches, STRETCH_MS)
    table.row(f"all {objects} lines, once for who comes", 1000 * sum(stretches), "ms", None)
    return fleet


def the_browsers(fleet: Fleet, objects: int, folder: Path) -> None:
    """What a person who looks has to wait for."""
    with shown(fleet.board) as page, browsing(folder) as browser:
        tab = browser.page()
        tab.look_like(1280)
        tab.call("Page.addScriptToEvaluateOnNewDocument", source=LONG_TASKS)
        began = time.monotonic()
        tab.open(page.url)
        tab.until(f"document.querySelectorAll('.line').length === {objects}", seconds=120)
        table.row(f"until {objects} are there", time.monotonic() - began, "s", 5.0)
        longest(tab, "longest that it did not answer while they came")
        waits = []
        for number in range(CHANGES):
            one = key_of(number)
            began = time.monotonic()
            page.do(lambda number=number: changed(fleet, number))  # type: ignore[misc]
            at = now_of(fleet)
            tab.until(f"lines.get('{'/'.join(one)}').told.changes.at(-1)[0] >= {at}")
            waits.append(time.monotonic() - began)
        table.times("from a change until it is shown", waits, 1000)
        tab.press("/")
        for character in "0007":
            tab.press(character)
        tab.until("document.querySelectorAll('.line').length <= 2")
        tab.press("Escape")
        tab.evaluate("redraw()")
        longest(tab, "... while it was searched, and redrawn")


def now_of(fleet: Fleet) -> float:
    return fleet.board.clock() - 0.01


def longest(tab: Page, what: str) -> None:
    tab.evaluate("new Promise(done => setTimeout(done, 300))")
    table.row(what, tab.evaluate("longest"), "ms", FRAME_MS, "(0: never for 50 ms)")
    tab.evaluate("longest = 0")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--objects", type=int, default=1000)
    objects = parser.parse_args().objects
    fleet = the_operators(objects)
    with tempfile.TemporaryDirectory() as folder:
        the_browsers(fleet, objects, Path(folder))


if __name__ == "__main__":
    main()
