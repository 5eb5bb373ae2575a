"""Kubernetes quantities (`8Gi`, `500m`, `1.5`), read exactly."""

import re
from decimal import ROUND_CEILING, Decimal

EXAMPLES = "`8Gi`, `500M` or `1.5`"

_PATTERN = re.compile(
    r"([+-]?(?:[0-9]+(?:\.[0-9]*)?|\.[0-9]+))(|[KMGTPE]i|[numkMGTPE]|[eE][+-]?[0-9]+)"
)
_DECIMAL = {"n": -9, "u": -6, "m": -3, "": 0, "k": 3, "M": 6, "G": 9, "T": 12, "P": 15, "E": 18}
_FURTHEST_EXPONENT = 64
"""Further than any value that has a meaning: what is as far is all or nothing."""
_MOST = Decimal(2**63 - 1)
_BINARY = {"Ki": 1, "Mi": 2, "Gi": 3, "Ti": 4, "Pi": 5, "Ei": 6}


class Quantity(str):
    """A quantity as it was written, that also knows its value."""

    __slots__ = ()

    @property
    def value(self) -> Decimal:
        value = parse(self)
        if value is None:
            raise ValueError(f"{str(self)!r} is not a quantity")
        return value

    @property
    def whole(self) -> int:
        """The value rounded up, as Kubernetes does where it needs a whole number (bytes)."""
        return int(self.value.to_integral_value(ROUND_CEILING))


def parse(text: str) -> Decimal | None:
    """The number that `text` writes, or None where it writes none.

    To Kubernetes, what 64 bits cannot hold is the most that they can.
    """
    match = _PATTERN.fullmatch(text)
    if match is None or not text.isascii():
        return None
    number, suffix = Decimal(match[1]), match[2]
    if suffix in _BINARY:
        return min(number * Decimal(1024) ** _BINARY[suffix], _MOST)
    exponent = _DECIMAL[suffix] if suffix in _DECIMAL else int(suffix[1:])
    near = max(-_FURTHEST_EXPONENT, min(exponent, _FURTHEST_EXPONENT))
    return min(number.scaleb(near), _MOST)
