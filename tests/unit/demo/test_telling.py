"""The tables at the end of the demo, and what it says of its promise."""

import pytest

from stoker_demo.judging import limits
from stoker_demo.telling import acts, kept, span, totals
from unit.demo.runs import answered, run, silent, with_requests

RUN = run()
THAN = limits(RUN)


def test_the_totals_stand_side_by_side() -> None:
    table = totals(RUN, THAN)
    assert table.heads == ("", "As today", "With Stoker")
    assert table.rows == (
        ("requests", "44", "61"),
        ("paid a cold start (more than 200 ms, waiting for the load)", "2", "1"),
        ("hung (no answer within 5.0 s)", "1", "0"),
        ("failed", "1", "0"),
        ("slow (more than 250 ms in all)", "0", "0"),
        ("worst first token", "2.5 s", "2.5 s"),
        ("address open after", "300 ms", "4.1 s"),
    )


SHUT = (
    "gate shut after 15 ms (RunnerGone: The process that held tiny has ended);"
    " hot again after 3.0 s"
)


def test_each_act_has_its_cost_and_what_stoker_did() -> None:
    rows = {row[0]: row[1:] for row in acts(RUN, THAN).rows}
    assert rows == {
        "Cold start": (
            "1 cold; worst 2.5 s",
            "all good; worst -",
            "took no request before a replica was hot, after 4.1 s",
        ),
        "Calm": ("all good; worst 10 ms", "all good; worst 10 ms", "nothing"),
        "A client unloads the model": (
            "1 cold; worst 2.0 s",
            "1 cold; worst 2.5 s",
            SHUT,
        ),
        "Its process hangs": ("1 hung, 1 failed; worst -", "all good; worst -", "nothing"),
    }


def test_a_promise_that_is_kept_is_said_in_a_sentence() -> None:
    assert list(kept(RUN, THAN)) == [
        "With Stoker no request paid a cold start but the 1 that a loss caught, and none hung."
    ]


def test_a_promise_that_is_broken_names_the_requests() -> None:
    broken = with_requests(RUN, answered(14.0, 2.0), silent(12.0))
    assert list(kept(broken, THAN)) == [
        "NOT AS PROMISED. With Stoker, of all requests:",
        "  the one of 14.0 s paid a cold start: its first token took 2.0 s",
        "  the one of 12.0 s had no answer after 5.0 s",
    ]


@pytest.mark.parametrize(
    ("seconds", "said"), [(None, "-"), (0.0123, "12 ms"), (0.9994, "999 ms"), (1.25, "1.2 s")]
)
def test_times_are_for_people(seconds: float | None, said: str) -> None:
    assert span(seconds) == said
