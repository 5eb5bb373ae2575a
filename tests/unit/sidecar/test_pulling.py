"""How far a pull is, from what Ollama says of it."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_sidecar.answers import PullLine
from stoker_sidecar.heat.observation import Fault, PullProgress
from stoker_sidecar.pulling import Tally, failure


def blob(name: str, done: int, total: int) -> PullLine:
    return PullLine(f"pulling {name}", name, done, total, None)


def phase(words: str) -> PullLine:
    return PullLine(words, "", 0, 0, None)


def after(*lines: PullLine) -> tuple[PullProgress, bool]:
    """What the last of these lines makes of it."""
    tally = Tally()
    return [tally.take(line) for line in lines][-1]


def test_nothing_is_known_before_the_manifest() -> None:
    assert after(phase("pulling manifest")) == (PullProgress(0, None, "pulling manifest"), True)


def test_progress_is_that_of_all_blobs() -> None:
    progress, _ = after(blob("a", 60, 60), blob("b", 10, 40))
    assert progress == PullProgress(70, 100, "pulling b")


@pytest.mark.p(35)
def test_a_line_that_is_repeated_is_no_movement() -> None:
    assert not after(blob("a", 60, 100), blob("a", 60, 100))[1]


def test_bytes_that_are_taken_back_are_no_movement_until_there_are_more() -> None:
    lines = [blob("a", 60, 100), blob("a", 20, 100), blob("a", 60, 100)]
    assert after(*lines) == (PullProgress(60, 100, "pulling a"), False)
    assert after(*lines, blob("a", 61, 100))[1]


@pytest.mark.p(35)
def test_bytes_that_are_counted_twice_do_not_exceed_the_blob() -> None:
    assert after(blob("a", 150, 100))[0].done_bytes == 100
    assert not after(blob("a", 150, 100), blob("a", 200, 100))[1]


def test_a_new_phase_is_movement_once() -> None:
    verifying = phase("verifying sha256 digest")
    assert after(blob("a", 1, 1), verifying)[1]
    assert not after(verifying, phase("writing manifest"), verifying)[1]


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 9), st.integers(0, 9))))
def test_progress_never_goes_back(lines: list[tuple[str, int, int]]) -> None:
    tally = Tally()
    seen = [tally.take(blob(*line))[0] for line in lines]
    assert [each.done_bytes for each in seen] == sorted(each.done_bytes for each in seen)
    assert all(each.done_bytes <= (each.total_bytes or 0) for each in seen)


def test_a_server_cannot_fill_the_memory_with_blobs() -> None:
    tally = Tally()
    moved = [tally.take(blob(str(number), 1, 1))[1] for number in range(30_000)]
    assert not moved[-1]


@pytest.mark.p(39)
def test_a_full_disk_is_said_with_what_is_there_and_what_is_needed() -> None:
    error = failure("no space left on device", PullProgress(1_500_000_000, 4_000_000_000, "x"))
    assert str(error) == "no space left on device (1,500.0 of 4,000.0 MB are there)"
    assert error.fault is Fault.NO_SPACE


def test_a_registry_without_tls_is_said_with_what_to_do() -> None:
    error = failure("tls: first record does not look like a TLS handshake")
    assert "speaks plain HTTP, which has to be allowed" in str(error)
