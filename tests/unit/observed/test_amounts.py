"""Numbers as people read them, and what is read out of objects that hold anything."""

import pytest

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_operator.observed.amounts import cut, share, size, span
from stoker_operator.observed.heats import BADNESS, OPEN, STATES, Heat, heat_of
from stoker_operator.observed.raw import moment


@pytest.mark.parametrize(
    ("amount", "text"),
    [
        (size(0), "0.0Ki"),
        (size(5_261_334_938), "4.9Gi"),
        (size(2**50), "1.0Pi"),
        (share(0.864), "86%"),
        (share(0.999), "99%"),
        (share(1.5), "100%"),
        (span(0.18), "180ms"),
        (span(4.2), "4.2s"),
        (span(35), "35s"),
        (span(720), "12min"),
        (span(12_600), "3.5h"),
        (cut("heat", 4), "heat"),
        (cut("heated", 4), "hea…"),
    ],
)
def test_amounts(amount: str, text: str) -> None:
    assert amount == text


@pytest.mark.parametrize(
    "written", ["", "yesterday", "2026-01-01T12:00:00", "0001-01-01T00:00:00+14:00"]
)
def test_a_moment_that_none_can_be_sure_of_is_none(written: str) -> None:
    assert moment(written) is None


def test_every_reason_of_the_sidecar_belongs_to_a_state() -> None:
    assert set(STATES) == set(Reason)
    assert {heat.value for heat in Heat} >= {state.value for state in HeatState}
    assert set(BADNESS) == set(Heat)


@pytest.mark.parametrize("reason", [*Reason, "NewerThanTheOperator", ""])
def test_gate_and_heat_never_contradict_each_other(reason: str) -> None:
    assert heat_of(reason, is_open=True) in OPEN
    assert heat_of(reason, is_open=False) not in OPEN
