"""What the operator counts as it happens; what can be computed is in `metrics`."""

import time
from collections.abc import Iterator
from contextlib import contextmanager

from prometheus_client import CollectorRegistry, Counter, Histogram

_PASS_SECONDS = (0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1.0, 5.0, 30.0)


class Measures:
    """What is counted as it happens."""

    def __init__(self, registry: CollectorRegistry) -> None:
        self._seconds = Histogram(
            "stoker_reconcile_seconds",
            "What a pass for an LLMDeployment takes.",
            buckets=_PASS_SECONDS,
            registry=registry,
        )
        self._errors = Counter(
            "stoker_reconcile_errors_total",
            "Passes that could not do all they should.",
            registry=registry,
        )
        self._applied = Counter(
            "stoker_apply_total",
            "Objects written to the API server (result ok), and refused by it (error).",
            ("kind", "result"),
            registry=registry,
        )

    @contextmanager
    def timed(self) -> Iterator[None]:
        """Measures a pass, and counts it if it fails."""
        began = time.perf_counter()
        with self._errors.count_exceptions():
            try:
                yield
            finally:
                self._seconds.observe(time.perf_counter() - began)

    def applied(self, kind: str, result: str) -> None:
        self._applied.labels(kind, result).inc()
