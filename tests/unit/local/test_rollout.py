"""Which replicas come and go, and in what order."""

from collections.abc import Callable
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_operator.local.backoff import Backoff
from stoker_operator.local.rollout import Moves, Seen, Size, moves


def seen(words: str) -> list[Seen]:
    """`n` new, `o` old; upper case is hot; behind it `-` is leaving."""
    found: list[Seen] = []
    for letter in words.replace(" ", ""):
        if letter == "-":
            found[-1] = replace(found[-1], is_leaving=True, is_hot=False)
        else:
            found.append(Seen(len(found) + 1, letter in "nN", letter.isupper()))
    return found


CASES: dict[str, tuple[Size, str, Moves]] = {
    "nothing is there": (Size(2), "", Moves(2, ())),
    "nothing is wanted": (Size(0), "", Moves(0, ())),
    "all is well": (Size(2), "NN", Moves(0, ())),
    "one more": (Size(3), "NN", Moves(1, ())),
    "one less, the newest": (Size(2), "NNN", Moves(0, (3,))),
    "one less, the cold one": (Size(2), "NnN", Moves(0, (2,))),
    "suspended": (Size(0), "Nn", Moves(0, (1, 2))),
    "the model is pulled by one": (Size(3, has_model=False), "", Moves(1, ())),
    "and waited for": (Size(3, has_model=False), "n", Moves(0, ())),
    "a change starts with a new one": (Size(2), "OO", Moves(1, ())),
    "which is waited for": (Size(2), "OOn", Moves(0, ())),
    "until it is hot": (Size(2), "OON", Moves(0, (1,))),
    "an old one that leaves is waited for": (Size(2), "O-ON", Moves(0, ())),
    "and makes room": (Size(2), "ON", Moves(1, ())),
    "the last old one": (Size(2), "ONN", Moves(0, (1,))),
    "a cold old one makes room at once": (Size(2), "Oo", Moves(1, (2,))),
    "without surge an old one goes first": (Size(2, 0, 1), "OO", Moves(0, (1,))),
    "and the new one comes when it has gone": (Size(2, 0, 1), "O-O", Moves(0, ())),
    "as here": (Size(2, 0, 1), "O", Moves(1, ())),
    "without surge the next waits for heat": (Size(2, 0, 1), "On", Moves(0, ())),
    "many at a time": (Size(4, 2, 2), "OOOO", Moves(2, (1, 2))),
    "back to the old revision before the new is hot": (Size(1), "oN", Moves(0, (1,))),
    "fewer, and changed": (Size(1), "OOO", Moves(0, (1, 2))),
}


@pytest.mark.parametrize("name", CASES)
def test_the_next_moves(name: str) -> None:
    size, words, expected = CASES[name]
    assert moves(size, seen(words)) == expected


@st.composite
def sizes(draw: Callable[[st.SearchStrategy[int]], int]) -> Size:
    surge = draw(st.integers(0, 3))
    return Size(draw(st.integers(0, 6)), surge, draw(st.integers(0 if surge else 1, 3)))


@given(sizes(), st.lists(st.booleans(), max_size=6), st.data())
def test_every_change_arrives_and_never_goes_too_far(
    size: Size, hot: list[bool], data: st.DataObject
) -> None:
    """Old replicas become new ones, whichever of those under way comes first."""
    there = {
        number: Seen(number, is_current=False, is_hot=is_hot) for number, is_hot in enumerate(hot)
    }
    floor = min(size.replicas - size.max_unavailable, sum(hot))
    ceiling = max(size.replicas + size.max_surge, len(hot))
    for step in range(200):
        todo = moves(size, list(there.values()))
        for number in todo.end:
            there[number] = replace(there[number], is_leaving=True, is_hot=False)
        for start in range(todo.start):
            number = 100 + 10 * step + start
            there[number] = Seen(number, is_current=True, is_hot=False)
        assert len(there) <= ceiling
        assert sum(each.is_hot for each in there.values()) >= floor
        under_way = [each for each in there.values() if each.is_leaving or not each.is_hot]
        if not under_way and not todo.start and not todo.end:
            break
        if under_way:
            _goes_on(there, data.draw(st.sampled_from(under_way)))
    assert len(there) == size.replicas
    assert all(each.is_current and each.is_hot for each in there.values())


def _goes_on(there: dict[int, Seen], which: Seen) -> None:
    if which.is_leaving:
        del there[which.number]
    else:
        there[which.number] = replace(which, is_hot=True)


def test_what_ends_is_started_at_once_then_later_and_later_until_it_has_been_well() -> None:
    backoff = Backoff()
    waits = [backoff.ended(1) for _ in range(8)]
    assert waits == [0, 10, 20, 40, 80, 160, 300, 300]
    assert backoff.ended(599) == 300
    assert backoff.ended(600) == 0
    assert backoff.ended(1) == 10
