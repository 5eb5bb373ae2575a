"""What is seen while the demo plays: a live view at a terminal, plain lines elsewhere."""

import asyncio
import contextlib
from collections.abc import Callable, Iterator

from rich.console import Console, Group
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from stoker_demo import telling
from stoker_demo.judging import Limits, Promise, TooFewError, figures, limits
from stoker_demo.record import Change, Mark, Run, Side
from stoker_demo.story import COLD_START

_DRAWN_SECONDS = 0.25
_PLAIN_WIDTH = 110
_STYLES = {"open": "green", "shut": "bright_black", "blind": "yellow"}


class Screen:
    """Shows a run to people."""

    def __init__(self, console: Console | None = None) -> None:
        console = console or Console()
        self._console = console
        self._is_live = console.is_terminal
        if not self._is_live:
            console.width = _PLAIN_WIDTH
        self._said: set[str] = set()

    def introduce(self, server: str, seconds: float) -> None:
        """Says what is going to be seen."""
        self._print(
            "[bold]The same Ollamas, twice:[/bold] as people run them today, ready when the port"
            " is open, and with Stoker. The same requests for both, and the same faults at the same"
            f" moments. Served by {escape(server)}; about {seconds:.0f} s."
        )

    async def show(self, run: Callable[[], Run], replicas: int) -> None:
        """Shows the run as it is, again and again, until this is cancelled."""
        if not self._is_live:
            while True:
                self._tell(run())
                await asyncio.sleep(_DRAWN_SECONDS)
        with Live(console=self._console, auto_refresh=False, transient=True) as live:
            while True:
                live.update(_view(run(), replicas), refresh=True)
                await asyncio.sleep(_DRAWN_SECONDS)

    def conclude(self, run: Run, than: Limits, promise: Promise) -> None:
        """Shows what came of it."""
        for table in (telling.acts(run, than), telling.totals(run, than)):
            self._console.print(_drawn(table))
        style = "bold green" if promise.is_kept else "bold red"
        for line in telling.kept(run, than):
            self._console.print(Text(line, style=style))

    def say(self, sentence: str) -> None:
        self._console.print(sentence, highlight=False, markup=False, soft_wrap=True)

    def _print(self, text: str) -> None:
        self._console.print(text, highlight=False)

    def _tell(self, run: Run) -> None:
        """What is news, line by line."""
        for at, line in sorted(_news(run)):
            text = f"{at:6.1f} s  {line}"
            if text not in self._said:
                self._said.add(text)
                self.say(text)


def _news(run: Run) -> Iterator[tuple[float, str]]:
    for side in run.sides:
        if side.opened:
            yield side.opened, f"{side.name}: the address takes connections"
        for change in side.changes:
            yield change.at, f"{side.name}, replica {change.replica}: {_told(change)}"
    for scene in run.scenes:
        for mark in scene.marks:
            yield mark.at, f"{scene.name.upper()}: {_done(mark)}"


def _told(change: Change) -> str:
    gate = "open" if change.hot else "shut"
    return f"gate {gate}, {change.state}/{change.reason}: {change.message}"


# --- the live view ------------------------------------------------------------------------------


def _view(run: Run, replicas: int) -> Group:
    than = None
    with contextlib.suppress(TooFewError):
        than = limits(run)
    scene = run.scenes[-1]
    told = _done(scene.marks[-1]) if scene.marks else "all is calm"
    if scene.name == COLD_START:
        told = "nothing is loaded yet"
    head = Text(f"{run.ended:5.1f} s  {scene.name}: {told}", style="bold")
    table = Table(expand=True, show_edge=False)
    for name in ("", *(side.name for side in run.sides)):
        table.add_column(name, ratio=1 if name else None)
    for number in range(1, replicas + 1):
        table.add_row(f"replica {number}", *(_lane(side, number) for side in run.sides))
    for name, of in _COUNTS.items():
        table.add_row(name, *(of(side, than) for side in run.sides))
    return Group(head, table)


def _done(mark: Mark) -> str:
    return f"replica {mark.replica}, {mark.told}"


def _lane(side: Side, number: int) -> Text:
    own = [each for each in side.changes if each.replica == number]
    if own:
        told, style = _told(own[-1]), "open" if own[-1].hot else "shut"
    elif side.opened and not side.changes:
        told, style = "port open, that is all that is known", "blind"
    else:
        told, style = "starting", "shut"
    return Text(told, style=_STYLES[style], no_wrap=True, overflow="ellipsis")


def _count(name: str) -> Callable[[Side, Limits | None], str]:
    def told(side: Side, than: Limits | None) -> str:
        return str(getattr(figures(side.requests, than), name))

    return told


def _worst(side: Side, than: Limits | None) -> str:
    return telling.span(figures(side.requests, than).worst_first_token)


_COUNTS: dict[str, Callable[[Side, Limits | None], str]] = {
    "requests": _count("requests"),
    "cold": _count("cold"),
    "hung": _count("hangs"),
    "failed": _count("errors"),
    "slow": _count("slow"),
    "worst": _worst,
}


# --- the end ------------------------------------------------------------------------------------


def _drawn(table: telling.Table) -> Table:
    drawn = Table(title=table.title, title_justify="left", title_style="bold")
    for head in table.heads:
        drawn.add_column(head)
    for row in table.rows:
        drawn.add_row(*map(Text, row))
    return drawn
