"""What is seen while the demo plays, and at its end."""

import asyncio
import re
from io import StringIO

from rich.console import Console

from stoker_demo.judging import limits, promise
from stoker_demo.screen import Screen
from support import loops
from unit.demo.runs import run

RUN = run()


def shown(*, is_terminal: bool) -> str:
    """What a person sees of the run after a moment."""
    out = StringIO()
    screen = Screen(Console(file=out, force_terminal=is_terminal, width=120, color_system=None))

    async def watch() -> None:
        showing = asyncio.create_task(screen.show(lambda: RUN, 2))
        await asyncio.sleep(1)
        showing.cancel()
        await asyncio.wait([showing])

    loops.run(watch())
    than = limits(RUN)
    screen.introduce("a <server> [of brackets]", 44)
    screen.conclude(RUN, than, promise(RUN.stoker, than))
    return re.sub(r"\s+", " ", out.getvalue())


def test_at_a_terminal_both_sides_are_seen_side_by_side() -> None:
    said = shown(is_terminal=True)
    assert "Its process hangs: replica 1, it is stopped" in said
    assert "replica 1 │ port open, that is all that is known │ gate open, Hot/Hot: tiny is" in said
    assert "requests │ 44 │ 61" in said
    assert "hung │ 1 │ 0" in said


def test_piped_each_thing_that_happens_is_a_line() -> None:
    said = shown(is_terminal=False)
    assert "0.3 s As today: the address takes connections" in said
    assert "9.0 s A CLIENT UNLOADS THE MODEL: replica 1, a client asks with keep_alive: 0" in said
    assert "9.3 s With Stoker, replica 1: gate shut, Cold/Evicted: tiny had to make room" in said


def test_the_end_has_both_tables_and_the_promise() -> None:
    said = shown(is_terminal=False)
    assert "Act by act" in said
    assert "What clients saw" in said
    assert "With Stoker no request paid a cold start but the 1 that a loss caught" in said
    assert "a <server> [of brackets]; about 44 s" in said
