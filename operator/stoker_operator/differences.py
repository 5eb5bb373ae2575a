"""Whether an object in the cluster has all that its manifest says.

It may have more: what the API server fills in, and what others have added. A manifest that was
applied once and is all there need not be applied again: a steady state writes nothing.
"""

from typing import Any

from stoker_api.quantities import parse
from stoker_operator.desired import Manifest
from stoker_operator.desired.marks import applied


def is_applied(wanted: Manifest, live: Manifest) -> bool:
    """Whether just this manifest was applied last, and nobody has taken anything of it back."""
    return applied(wanted) == applied(live) and _covers(live, wanted)


def _covers(live: Any, wanted: Any) -> bool:
    match wanted:
        case [] | {} if live is None:
            return True  # the API server leaves out what is empty
        case dict():
            return isinstance(live, dict) and all(
                _covers(live.get(name), value) for name, value in wanted.items()
            )
        case list():
            return isinstance(live, list) and _has_in_order(live, wanted)
        case _:
            return bool(live == wanted) or _is_same_quantity(live, wanted)


def _has_in_order(live: list[Any], wanted: list[Any]) -> bool:
    """Whether all wanted items are there, in that order; others may stand between them."""
    rest = iter(live)
    return all(any(_covers(found, item) for found in rest) for item in wanted)


def _is_same_quantity(live: Any, wanted: Any) -> bool:
    """The API server writes quantities its own way: `1000m` comes back as `1`."""
    if not (isinstance(live, str) and isinstance(wanted, str | int)):
        return False
    amount = parse(str(wanted))
    return amount is not None and amount == parse(live)
