from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_api import durations

milliseconds = st.integers(0, 10**12).map(lambda count: timedelta(milliseconds=count))


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("90s", 90),
        ("1h30m", 5400),
        ("500ms", 0.5),
        ("1.5h", 5400),
        ("0.001s", 0.001),
        ("1h1m1s1ms", 3661.001),
        ("0s", 0),
        ("999999h", 999999 * 3600),
    ],
)
def test_a_duration_reads_as_its_seconds(text: str, seconds: float) -> None:
    assert durations.parse(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize(
    "text",
    ["", "5", "1d", "1m1h", "1s1s", "-1s", "+1s", " 1s", "1s\n", "1.s", ".5s", "1µs", "\u0661s"],
)
def test_what_has_two_readings_or_none_is_not_a_duration(text: str) -> None:
    assert durations.parse(text) is None


@given(milliseconds)
def test_a_duration_survives_being_written(duration: timedelta) -> None:
    assert durations.parse(durations.render(duration)) == duration


@given(st.text(alphabet="0123456789.hms", max_size=12))
def test_a_readable_duration_has_one_canonical_form(text: str) -> None:
    duration = durations.parse(text)
    if duration is not None:
        canonical = durations.render(duration)
        again = durations.parse(canonical)
        assert again is not None
        assert abs(again - duration) < timedelta(milliseconds=1)
        assert durations.render(again) == canonical
