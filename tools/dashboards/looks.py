"""How values are shown that more than one panel shows."""

from tools.dashboards.grafana import Look, Step

BYTES = Look(unit="bytes", least=0)
SECONDS = Look(unit="s", least=0)
LENGTHS = Look(unit="s", least=0, steps=(Step(None, "good"),))
"""Seconds as bars."""
EVENTS = Look(least=0, is_stacked=True)
SHARE = Look(unit="percentunit", least=0, most=1)
NONE_IS_GOOD = Look(steps=(Step(None, "good"), Step(1, "bad")))
NONE_IS_BETTER = Look(steps=(Step(None, "good"), Step(1, "warn")))
YES_IS_GOOD = Look(
    words={0: ("no", "bad"), 1: ("yes", "good")}, steps=(Step(None, "bad"), Step(1, "good"))
)

NARROW = (4, 4)
"""The size of a panel with one number."""
