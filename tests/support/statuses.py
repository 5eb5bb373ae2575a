"""What sidecars say of themselves, for tests of those who show it."""

from stoker_api import wire

HOT = wire.Status(
    state=wire.HeatState.HOT,
    hot=True,
    reason="Proven",
    message="2 answers in a row, first token after 180 ms",
    since="2026-01-01T00:00:00Z",
    sees_processes=True,
    config_error=None,
    model=wire.ModelFigures("phi3:mini", "sha256:0", 2_300_000_000, "3.8B", "Q4_0", 4096),
    residency=wire.Residency(2_400_000_000, 2_000_000_000, None),
    gpus=(wire.GpuFigures("GPU-0", "H100", 80 * 2**30, 5 * 2**30, 0.5, 310.0, 41.0),),
    latency=wire.Latency(0.18, 0.25, 92.5),
    pull=wire.Pull(1_000_000, 2_300_000_000),
    cold_start=wire.ColdStart(None, 1.5, 4.87, 0.911),
    routes=(wire.Route(wire.Api.OLLAMA, ok=True, reason="Reached", message="in 12 ms"),),
    counters=wire.Counters(1, 2, 3, 4, 5, 6),
)
"""Everything that can be known is."""

STARTING = wire.Status(
    state=wire.HeatState.UNREACHABLE,
    hot=False,
    reason="Starting",
    message="Ollama does not answer yet",
    since="2026-01-01T00:00:00Z",
    sees_processes=False,
    config_error=None,
    model=None,
    residency=None,
    gpus=(),
    latency=wire.Latency(None, None, None),
    pull=None,
    cold_start=wire.ColdStart(None, None, None, None),
    routes=(),
    counters=wire.Counters(0, 0, 0, 0, 0, 0),
    warnings=("Ollama's processes are out of sight",),
)
"""Nothing is known yet."""
