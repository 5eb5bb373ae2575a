"""How figures are told: each beside the limit that it is held to."""

import argparse

Settings = argparse.Namespace
"""What was asked of the benchmark."""


def row(what: str, value: float, unit: str, limit: float | None, remark: str = "") -> None:
    """One line of the table."""
    bar = "" if limit is None else f"<= {limit:.5g} {unit}"
    verdict = "" if limit is None else "ok" if value <= limit else "MISSED"
    print(
        f"{what:<52} {value:>9.4g} {unit:<4} {bar:<13} {verdict:<7} {remark}".rstrip(), flush=True
    )


def times(what: str, seconds: list[float], limit_ms: float) -> None:
    """A line about how long something took, in milliseconds."""
    ordered = sorted(1000 * each for each in seconds)
    p50, p99 = ordered[len(ordered) // 2], ordered[min(len(ordered) - 1, len(ordered) * 99 // 100)]
    remark = f"p99 of {len(ordered)}; p50 {p50:.4g}, slowest {ordered[-1]:.4g}"
    row(what, p99, "ms", limit_ms, remark)


def note(text: str) -> None:
    """A line that explains those above."""
    print(f"{'':<52} {text}", flush=True)
