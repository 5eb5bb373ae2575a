"""Amounts of memory as people write them: `24GiB`, `4.9 GB`, `1048576`."""

import re

_UNITS = {"": 1, "b": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12}
_SIZE = re.compile(r"(?P<number>\d+(\.\d+)?)\s*(?P<unit>[kmgt]?)(?P<binary>i?)b?", re.IGNORECASE)

EXAMPLES = "`24GiB`, `4.9GB` or `1048576`"


def parse_size(text: str) -> int:
    """The bytes that `text` writes; ValueError if it writes none."""
    size = _SIZE.fullmatch(text.strip())
    if size is None or (size["binary"] and not size["unit"]):
        raise ValueError(f"`{text}` is no size; write {EXAMPLES}")
    unit = _UNITS[size["unit"].lower()]
    if size["binary"]:
        unit = 1024 ** (len(str(unit)) // 3)
    return round(float(size["number"]) * unit)
