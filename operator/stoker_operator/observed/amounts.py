"""Numbers as people read them, in the few characters that a column of `kubectl get` has."""

from stoker_api.words import one_line

_KIB = 1024
_UNITS = ("Ki", "Mi", "Gi", "Ti")


def size(count: int) -> str:
    """Bytes: `4.9Gi`."""
    value = float(count)
    for unit in _UNITS:
        value /= _KIB
        if value < _KIB:
            return f"{value:.1f}{unit}"
    return f"{value / _KIB:.1f}Pi"


def share(ratio: float) -> str:
    """A share: `86%`. Rounded down, so that only the whole is `100%`."""
    return f"{int(min(ratio, 1.0) * 100)}%"


_SPANS = ((1.0, 0.001, "{:.0f}ms"), (10.0, 1.0, "{:.1f}s"), (120.0, 1.0, "{:.0f}s"))


def span(seconds: float) -> str:
    """A length of time: `180ms`, `4.2s`, `35s`, `12min`, `3.5h`."""
    for limit, unit, text in _SPANS:
        if seconds < limit:
            return text.format(seconds / unit)
    return f"{seconds / 60:.0f}min" if seconds < 7200 else f"{seconds / 3600:.1f}h"  # noqa: PLR2004


def pods(count: int) -> str:
    """A number of pods: `1 pod`, `3 pods`."""
    return "1 pod" if count == 1 else f"{count} pods"


def cut(text: str, most: int) -> str:
    """The text on one line, shortened to so many characters."""
    text = one_line(text)
    return text if len(text) <= most else text[: most - 1] + "…"
