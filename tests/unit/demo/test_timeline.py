"""The heat of a replica, read back from its sidecar's log."""

import logging

from stoker_api.logs import Terminal
from stoker_demo.record import Change
from stoker_demo.timeline import changes

LOG = """\
14:32:15.374 info sidecar started version=0.1.0 model=tiny port=9464
14:32:15.871 info heat changed state=Hot reason=Hot gate=open before=Warming: tiny is loaded: yes
14:32:20.153 warning heat changed state=Cold reason=RunnerGone gate=shut before=Hot: It has ended
not a line of ours
"""
OPEN, SHUT = True, False
_ZERO = (14 * 60 + 32) * 60 + 10.0


def test_the_changes_are_all_that_is_read() -> None:
    found = list(changes(LOG, 2, _ZERO))
    assert [round(each.at, 3) for each in found] == [5.871, 10.153]
    assert found[0] == Change(found[0].at, 2, OPEN, "Hot", "Hot", "tiny is loaded: yes")
    assert found[1] == Change(found[1].at, 2, SHUT, "Cold", "RunnerGone", "It has ended")


def test_a_run_may_go_on_past_midnight() -> None:
    line = "00:00:01.000 info heat changed state=Hot reason=Hot gate=open before=Warming: hot"
    (found,) = changes(line, 1, 23 * 3600 + 59 * 60 + 58)
    assert round(found.at, 3) == 3


def test_the_beginning_may_be_any_day() -> None:
    (first, _) = changes(LOG, 1, 86400 * 20_000 + _ZERO)
    assert round(first.at, 3) == 5.871


def test_the_form_is_that_of_the_terminal_s_log() -> None:
    record = logging.makeLogRecord(
        {
            "msg": "heat changed",
            "levelname": "INFO",
            "created": 0.5,
            "state": "Hot",
            "reason": "Hot",
            "gate": "open",
            "before": "Warming",
            "sentence": "tiny is hot",
        }
    )
    (found,) = changes(Terminal().format(record), 1, 0.0)
    assert found == Change(0.5, 1, OPEN, "Hot", "Hot", "tiny is hot")
