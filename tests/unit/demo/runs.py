"""Runs of the demo that never were, for tests of what is made of them."""

from dataclasses import replace

from stoker_demo.record import Change, End, Loss, Mark, Request, Run, Scene, Side
from stoker_demo.story import CALM, COLD_START

UNLOADED = "A client unloads the model"
HUNG = "Its process hangs"


def answered(began: float, first_token: float = 0.01, whole: float = 0.05) -> Request:
    """Whoever waits long for the first token waits for the load."""
    ended, load = began + max(whole, first_token), max(0.0, first_token - 0.01)
    return Request(began, began + first_token, ended, End.ANSWERED, load_seconds=load)


def failed(began: float, error: str = "status 500: <gone>") -> Request:
    return Request(began, None, began + 0.1, End.FAILED, error)


def silent(began: float) -> Request:
    return Request(began, None, began + 5.0, End.SILENT)


def warm(begin: float, end: float) -> tuple[Request, ...]:
    """Ten requests a second, all good."""
    return tuple(answered(begin + i / 10) for i in range(round((end - begin) * 10)))


def change(at: float, state: str, reason: str, message: str = "", *, replica: int = 1) -> Change:
    return Change(at, replica, state in ("Hot", "Suspect"), state, reason, message)


CHANGES = (
    change(1.0, "Loading", "Loading", "Loading tiny"),
    change(4.0, "Hot", "Hot", "tiny is loaded and answers"),
    change(9.02, "Cold", "RunnerGone", "The process that held tiny has ended"),
    change(9.3, "Cold", "Evicted", "tiny had to make room for <other> & others"),
    change(9.4, "Loading", "Loading", "Loading tiny"),
    change(12.0, "Hot", "Hot", "tiny is loaded and answers"),
)


def run() -> Run:
    """Calm from 5 s to 9 s; then the model is lost; a process hangs from 15 s to 20 s."""
    calm = Scene(CALM, 5.0, 9.0)
    scenes = (
        Scene(COLD_START, 0.0, 5.0),
        calm,
        Scene(UNLOADED, 9.0, 15.0, (Mark(9.0, 1, "a client asks with keep_alive: 0"),)),
        Scene(HUNG, 15.0, 20.0, (Mark(15.0, 1, "it is stopped"),)),
    )
    today = Side(
        name="As today",
        opened=0.3,
        requests=(answered(0.5, 2.5), *warm(5, 9), answered(9.1, 2.0), failed(15.1), silent(16.0)),
        changes=(),
        losses=(Loss(9.005, 9.01),),
    )
    stoker = Side(
        name="With Stoker",
        opened=4.1,
        requests=(*warm(5, 9), answered(9.05, 2.5), *warm(10, 12)),
        changes=CHANGES,
        losses=(Loss(9.005, 9.01),),
    )
    return Run("the simulator", today, stoker, scenes, calm, patience_seconds=5.0)


def with_requests(found: Run, *more: Request) -> Run:
    """The same, with more requests of Stoker's clients."""
    side = found.stoker
    return replace(found, stoker=replace(side, requests=(*side.requests, *more)))
