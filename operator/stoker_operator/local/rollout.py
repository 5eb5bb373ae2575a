"""Which replicas to start and which to end: as a Deployment would, on one machine. Pure.

A new replica is hot before an old one leaves, as far as `maxSurge` and `maxUnavailable` say so. In
one thing it is stricter than a cluster: a replica that is on its way out still has its model in
memory, so it counts against `replicas + maxSurge` until it has ended.
"""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Seen:
    """One replica, as it is."""

    number: int
    is_current: bool
    """Whether it is of the revision that is wanted."""
    is_hot: bool
    is_leaving: bool = False


@dataclass(frozen=True)
class Size:
    """How many there should be, and how far from it a change may go."""

    replicas: int
    max_surge: int = 1
    max_unavailable: int = 0
    has_model: bool = True
    """Whether the store has the model. Until it has, one replica pulls it and no other starts."""


@dataclass(frozen=True)
class Moves:
    """What to do now."""

    start: int
    end: tuple[int, ...]


def moves(size: Size, seen: Sequence[Seen]) -> Moves:
    """The next moves towards what is wanted; none where there is something to wait for."""
    staying = [each for each in seen if not each.is_leaving]
    current = [each for each in staying if each.is_current]
    old = [each for each in staying if not each.is_current]
    return Moves(_to_start(size, seen, current), _to_end(size, current, old))


def _to_start(size: Size, seen: Sequence[Seen], current: Sequence[Seen]) -> int:
    wanted = size.replicas if size.has_model else min(1, size.replicas)
    room = size.replicas + size.max_surge - len(seen)
    return max(0, min(wanted - len(current), room))


def _to_end(size: Size, current: Sequence[Seen], old: Sequence[Seen]) -> tuple[int, ...]:
    surplus = _surplus(size, current)
    staying_hot = sum(each.is_hot for each in (*current, *old) if each not in surplus)
    spare = max(0, staying_hot - (size.replicas - size.max_unavailable))
    ended = [*surplus]
    for each in sorted(old, key=lambda each: (each.is_hot, each.number)):
        if each.is_hot and spare == 0:
            break
        # What is not hot serves nobody: it makes room.
        spare -= each.is_hot
        ended.append(each)
    return tuple(each.number for each in ended)


def _surplus(size: Size, current: Sequence[Seen]) -> list[Seen]:
    """Those of the wanted revision that are too many: the cold ones first, then the newest."""
    most_useful = sorted(current, key=lambda each: (not each.is_hot, each.number))
    return most_useful[size.replicas :]
