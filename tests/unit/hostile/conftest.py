"""How long to look: a fraction of a second for each test, or with `make fuzz` for minutes."""

from hypothesis import HealthCheck, settings

settings.register_profile(
    "fuzz", max_examples=4_000, deadline=None, suppress_health_check=list(HealthCheck)
)
