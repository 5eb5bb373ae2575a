"""The run in words and figures: the tables at its end, and what Stoker did. Pure."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from stoker_demo.judging import Figures, Limits, Promise, figures, promise
from stoker_demo.record import Change, Run, Scene, Side

TODAY = "As today"
STOKER = "With Stoker"

# The worst is the best explanation.
_CAUSES = ("Cold", "Stuck", "Blocked")


@dataclass(frozen=True)
class Table:
    """A table for people: a terminal or a page draws it."""

    title: str
    heads: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


# --- the whole run ------------------------------------------------------------------------------


def totals(run: Run, than: Limits) -> Table:
    """Both sides, figure by figure."""
    both = [figures(side.requests, than) for side in run.sides]
    cold = f"paid a cold start (more than {span(than.cold_seconds)}, waiting for the load)"
    rows: list[tuple[str, Callable[[Figures], str]]] = [
        ("requests", lambda each: str(each.requests)),
        (cold, lambda each: str(each.cold)),
        (f"hung (no answer within {span(run.patience_seconds)})", lambda each: str(each.hangs)),
        ("failed", lambda each: str(each.errors)),
        (f"slow (more than {span(than.slow_seconds)} in all)", lambda each: str(each.slow)),
        ("worst first token", lambda each: span(each.worst_first_token)),
    ]
    return Table(
        "What clients saw",
        ("", TODAY, STOKER),
        (*((name, *map(told, both)) for name, told in rows), _opened(run)),
    )


def _opened(run: Run) -> tuple[str, ...]:
    return ("address open after", *(span(side.opened) for side in run.sides))


# --- act by act ---------------------------------------------------------------------------------


def acts(run: Run, than: Limits) -> Table:
    """What each act cost, and what Stoker did about it."""
    rows = (
        (
            scene.name,
            *(cost(figures(side.within(scene.begin, scene.end), than)) for side in run.sides),
            did(scene, run.stoker),
        )
        for scene in run.scenes
    )
    return Table("Act by act", ("", TODAY, STOKER, "What Stoker did"), tuple(rows))


def cost(found: Figures) -> str:
    """What these requests paid, in a few words."""
    kinds = (
        (found.cold, "cold"),
        (found.hangs, "hung"),
        (found.errors, "failed"),
        (found.slow, "slow"),
    )
    paid = [f"{count} {name}" for count, name in kinds if count]
    said = ", ".join(paid) or "all good"
    return f"{said}; worst {span(found.worst_first_token)}"


def did(scene: Scene, side: Side) -> str:
    """What Stoker did in a scene, from its own timeline."""
    if not scene.marks:
        return _start(scene, side)
    changes = [each for each in side.changes if scene.begin <= each.at < scene.end]
    shut = next((each for each in changes if not each.hot), None)
    if shut is None:
        return "nothing"
    lost = next((loss.began for loss in side.losses if loss.began >= scene.begin), scene.begin)
    again = next((each for each in reversed(changes) if each.hot and each.at > shut.at), None)
    back = f"; hot again after {span(again.at - lost)}" if again else "; not hot again yet"
    return f"gate shut after {span(shut.at - lost)}{_why(changes)}{back}"


def _start(scene: Scene, side: Side) -> str:
    """Of a scene in which nothing was done to it."""
    if any(scene.begin <= each.at < scene.end for each in side.changes):
        return f"took no request before a replica was hot, after {span(side.opened)}"
    return "nothing"


def _why(changes: Sequence[Change]) -> str:
    """The reason of its timeline that explains most, as it was said first."""
    causes = [each for each in changes if each.state in _CAUSES]
    if not causes:
        return ""
    worst = max(causes, key=lambda each: (_CAUSES.index(each.state), -each.at))
    return f" ({worst.reason}: {worst.message})"


# --- the promise --------------------------------------------------------------------------------


def kept(run: Run, than: Limits) -> Iterator[str]:
    """Whether Stoker did what it promises; where not, which requests tell of it."""
    found = promise(run.stoker, than)
    if found.is_kept:
        caught = f" but the {found.caught} that a loss caught" if found.caught else ""
        yield f"With Stoker no request paid a cold start{caught}, and none hung."
        return
    yield "NOT AS PROMISED. With Stoker, of all requests:"
    yield from _broken(found)


def _broken(found: Promise) -> Iterator[str]:
    for request in found.cold_late:
        yield (
            f"  the one of {moment(request.began)} paid a cold start:"
            f" its first token took {span(request.first_token_seconds)}"
        )
    for request in found.hung:
        yield f"  the one of {moment(request.began)} had no answer after {span(request.seconds)}"


# --- numbers ------------------------------------------------------------------------------------


def span(seconds: float | None) -> str:
    """A time for people."""
    if seconds is None:
        return "-"
    return f"{seconds * 1000:.0f} ms" if seconds < 1 else f"{seconds:.1f} s"


def moment(seconds: float) -> str:
    """A moment of the run."""
    return f"{seconds:.1f} s"
