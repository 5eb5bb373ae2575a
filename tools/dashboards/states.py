"""The states of a model as numbers, for timelines that have a colour for each."""

from stoker_api.wire import HeatState

_COLOURS = {
    HeatState.HOT: "good",
    HeatState.SUSPECT: "good",
    HeatState.STUCK: "bad",
    HeatState.BLOCKED: "bad",
    HeatState.COLD: "bad",
    HeatState.UNREACHABLE: "bad",
}

COLOURS = {str(state): _COLOURS.get(state, "warn") for state in HeatState}
WORDS = dict(enumerate(COLOURS.items()))


def timeline(selector: str, by: str) -> str:
    """The number of the state that each pod is in."""
    each = (
        f'stoker_heat_state{{{selector}, state="{word}"}} * {number}'
        for number, (word, _) in WORDS.items()
    )
    return f"max by ({by}) ({' or '.join(each)})"
