"""The run as a drawing: what each replica was, each request as a dot, what was done as lines. Pure.

An SVG without scripts. Colours are those of the page around it, by class.
"""

import math
from collections.abc import Iterator, Sequence
from html import escape

from stoker_demo.judging import Limits, Verdict, verdict
from stoker_demo.record import Change, Request, Run, Side
from stoker_demo.telling import moment, span

_WIDTH = 1120
_LEFT, _RIGHT = 96, 16
_TOP = 26
_LANE = 16
_DOTS = 170
_GAP = 14
_LEAST, _MOST = 0.002, 8.0
"""The first tokens that the drawing has room for, in seconds."""
_TICKS = (0.01, 0.1, 1.0)
_AXIS_SECONDS = 5


class _Scale:
    """Where moments and times lie in the drawing."""

    def __init__(self, ended: float) -> None:
        self._ended = ended

    def x(self, moment: float) -> float:
        return _LEFT + (_WIDTH - _LEFT - _RIGHT) * min(1.0, moment / self._ended)

    @staticmethod
    def y(seconds: float) -> float:
        """Downwards from the top of the dots; the longer, the higher."""
        share = math.log(min(max(seconds, _LEAST), _MOST) / _LEAST) / math.log(_MOST / _LEAST)
        return _DOTS * (1 - share)


def plot(run: Run, side: Side, replicas: int, than: Limits) -> str:
    """The drawing of one side."""
    scale = _Scale(run.ended)
    height = _TOP + replicas * _LANE + _GAP + _DOTS + 24
    label = f"{side.name}: {len(side.requests)} requests in {span(run.ended)}"
    parts = [
        f'<svg viewBox="0 0 {_WIDTH} {height}" role="img" aria-label="{escape(label)}">',
        *_lanes(run, side, replicas, scale),
        f'<g transform="translate(0 {_TOP + replicas * _LANE + _GAP})">',
        *_axes(run, than, scale),
        *(_dot(request, verdict(request, than), scale) for request in side.requests),
        "</g>",
        *_marks(run, scale, height),
        "</svg>",
    ]
    return "\n".join(parts)


# --- what the replicas were ---------------------------------------------------------------------


def _lanes(run: Run, side: Side, replicas: int, scale: _Scale) -> Iterator[str]:
    for number in range(1, replicas + 1):
        top = _TOP + (number - 1) * _LANE
        yield f'<text x="0" y="{top + 11}">replica {number}</text>'
        own = [each for each in side.changes if each.replica == number]
        if own:
            yield from _states(own, run.ended, top, scale)
        elif not side.changes:
            said = "the port is open: traffic comes, and nobody asks for more"
            yield _bar((side.opened, run.ended), top, "blind", said, scale)


def _states(own: Sequence[Change], ended: float, top: float, scale: _Scale) -> Iterator[str]:
    ends = [each.at for each in own[1:]] + [ended]
    for change, end in zip(own, ends, strict=True):
        gate = "gate open" if change.hot else "gate shut"
        said = f"{moment(change.at)}, {gate}, {change.state}/{change.reason}: {change.message}"
        kind = "open" if change.hot else f"shut {change.state.lower()}"
        yield _bar((change.at, end), top, kind, said, scale)


def _bar(time: tuple[float, float], top: float, kind: str, said: str, scale: _Scale) -> str:
    left, right = map(scale.x, time)
    return (
        f'<rect class="{escape(kind)}" x="{left:.1f}" y="{top}" width="{right - left:.2f}"'
        f' height="{_LANE - 3}"><title>{escape(said)}</title></rect>'
    )


# --- requests -----------------------------------------------------------------------------------


def _dot(request: Request, found: Verdict, scale: _Scale) -> str:
    waited = request.first_token_seconds
    x = scale.x(request.began)
    # Who got no token is at the height of the time that was waited for one.
    y = scale.y(request.seconds if waited is None else waited)
    token = "no token" if waited is None else f"first token after {span(waited)}"
    error = f", {request.error}" if request.error else ""
    said = f"{moment(request.began)}: {found}, {token}, ended after {span(request.seconds)}{error}"
    title = f"<title>{escape(said)}</title>"
    if found in (Verdict.ERROR, Verdict.HANG):
        cross = f"M{x - 3:.1f} {y - 3:.1f}l6 6m0 -6l-6 6"
        return f'<path class="{found}" d="{cross}">{title}</path>'
    return f'<circle class="{found}" cx="{x:.1f}" cy="{y:.1f}" r="2.5">{title}</circle>'


def _axes(run: Run, than: Limits, scale: _Scale) -> Iterator[str]:
    right = _WIDTH - _RIGHT
    for seconds in _TICKS:
        y = scale.y(seconds)
        yield f'<path class="grid" d="M{_LEFT} {y:.1f}H{right}"/>'
        yield f'<text class="end" x="{_LEFT - 6}" y="{y + 4:.1f}">{span(seconds)}</text>'
    limit = scale.y(than.cold_seconds)
    yield f'<path class="limit" d="M{_LEFT} {limit:.1f}H{right}"/>'
    for at in range(0, math.ceil(run.ended), _AXIS_SECONDS):
        yield f'<text class="middle" x="{scale.x(at):.1f}" y="{_DOTS + 16}">{at} s</text>'


# --- what was done ------------------------------------------------------------------------------


def _marks(run: Run, scale: _Scale, height: float) -> Iterator[str]:
    """A line for each, with the number of its act, which leads to what is told of it."""
    for number, scene in enumerate(run.scenes, 1):
        for mark in scene.marks:
            x = scale.x(mark.at)
            said = f"{moment(mark.at)}, replica {mark.replica}: {mark.told}"
            yield (
                f'<a href="#act-{number}" aria-label="{escape(said)}"><title>{escape(said)}</title>'
                f'<path class="mark" d="M{x:.1f} 14V{height - 20}"/>'
                f'<text class="middle" x="{x:.1f}" y="11">{number}</text></a>'
            )
