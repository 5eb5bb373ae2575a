"""What became of requests, by the limits that the same run sets."""

from dataclasses import replace

import pytest

from stoker_demo.judging import TooFewError, Verdict, figures, limits, promise, verdict
from stoker_demo.record import Request
from unit.demo.runs import answered, failed, run, silent, with_requests

THAN = limits(run())


def test_the_limits_are_multiples_of_what_warm_requests_of_the_same_run_took() -> None:
    assert THAN.cold_seconds == pytest.approx(20 * 0.01)
    assert THAN.slow_seconds == pytest.approx(5 * 0.05)


def test_a_load_is_what_the_first_request_of_all_waited_for() -> None:
    assert THAN.load_seconds == pytest.approx(0.2 * (2.5 - 0.01))


def test_without_enough_warm_requests_nothing_is_said() -> None:
    found = run()
    few = replace(found.calm, end=5.5) if found.calm else None
    with pytest.raises(TooFewError, match="only 10 requests were answered"):
        limits(replace(found, calm=few))
    with pytest.raises(TooFewError, match="only 0 requests"):
        limits(replace(found, calm=None))


@pytest.mark.parametrize(
    ("request_", "expected"),
    [
        (answered(1.0), Verdict.GOOD),
        (answered(1.0, 0.04, 0.26), Verdict.SLOW),
        (answered(1.0, 0.6), Verdict.COLD),
        (replace(answered(1.0, 0.6), load_seconds=0.4), Verdict.SLOW),
        (failed(1.0), Verdict.ERROR),
        (silent(1.0), Verdict.HANG),
    ],
)
def test_a_request_is_judged_by_the_worst_that_befell_it(
    request_: Request, expected: Verdict
) -> None:
    assert verdict(request_, THAN) is expected


def test_before_there_are_limits_an_answer_is_good() -> None:
    assert verdict(answered(1.0, 3.0), None) is Verdict.GOOD


def test_the_figures_count_every_request_once() -> None:
    found = figures(run().today.requests, THAN)
    kinds = (found.good, found.slow, found.cold, found.errors, found.hangs)
    assert found.requests == sum(kinds) == 44
    assert kinds == (40, 0, 2, 1, 1)
    assert found.worst_first_token == pytest.approx(2.5)


def test_of_no_token_there_is_no_worst() -> None:
    assert figures([failed(1.0)], THAN).worst_first_token is None


def test_a_cold_start_at_a_loss_breaks_no_promise() -> None:
    found = promise(run().stoker, THAN)
    assert found.is_kept
    assert found.caught == 1


@pytest.mark.parametrize(
    ("began", "is_late"),
    [
        (9.11, False),  # 100 ms after it
        (9.12, True),
        (8.0, False),  # under way
        (5.0, True),  # over before
    ],
)
def test_a_cold_start_is_excused_at_a_loss_alone(began: float, *, is_late: bool) -> None:
    slow = answered(began, 2.0)
    found = promise(with_requests(run(), slow).stoker, THAN)
    assert found.cold_late == ((slow,) if is_late else ())
    assert found.is_kept is not is_late


def test_a_request_that_hangs_breaks_the_promise_at_any_time() -> None:
    found = promise(with_requests(run(), silent(9.0)).stoker, THAN)
    assert not found.is_kept
    assert found.hung == (silent(9.0),)
