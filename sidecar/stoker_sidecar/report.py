"""What the sidecar knows, as `/status` tells it."""

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime

from stoker_api import wire
from stoker_sidecar.heat import Step
from stoker_sidecar.heat.observation import Deed, Gpu, Observation, Outcome

_MEASUREMENTS = 100
"""So many answers are kept for the percentiles: a quarter of an hour of canaries."""


@dataclass
class Measurements:
    """What answers and starts have taken."""

    first_tokens: deque[float] = field(default_factory=lambda: deque(maxlen=_MEASUREMENTS))
    tokens_per_second: float | None = None
    cold_start: wire.ColdStart = field(
        default_factory=lambda: wire.ColdStart(None, None, None, None)
    )

    def take(self, outcome: Outcome) -> None:
        """Keeps what an answer tells of speed."""
        if outcome.first_token_seconds is not None:
            self.first_tokens.append(outcome.first_token_seconds)
        if outcome.deed is Deed.LOAD:
            self.tokens_per_second = None  # another process, which may be slower
        elif outcome.tokens_per_second is not None:
            self.tokens_per_second = outcome.tokens_per_second

    @property
    def latency(self) -> wire.Latency:
        tokens = sorted(self.first_tokens)
        return wire.Latency(
            first_token_p50_seconds=percentile(tokens, 0.50),
            first_token_p95_seconds=percentile(tokens, 0.95),
            tokens_per_second=self.tokens_per_second,
        )


def percentile(values: Sequence[float], share: float) -> float | None:
    """The value that so many of these (sorted) ones do not exceed."""
    return values[min(len(values) - 1, int(len(values) * share))] if values else None


@dataclass(frozen=True)
class Account:
    """What is known besides what the heart knows."""

    model: str
    measurements: Measurements
    routes: tuple[wire.Route, ...]
    counters: wire.Counters
    config_error: str | None
    blind: tuple[str, ...]
    gate_error: str | None
    told_wrong: str | None
    since: str


def status(step: Step, seen: Observation, account: Account) -> wire.Status:
    """`GET /status`, as of a step and of what it saw."""
    return wire.Status(
        state=step.verdict.state,
        hot=step.gate.open,
        reason=step.gate.reason,
        message=step.gate.message,
        since=account.since,
        sees_processes=seen.processes is not None,
        config_error=account.config_error,
        model=_model(account.model, step, seen),
        residency=_residency(step),
        gpus=tuple(map(_gpu, seen.gpus.devices)) if seen.gpus else (),
        latency=account.measurements.latency,
        pull=wire.Pull(seen.pull.done_bytes, seen.pull.total_bytes) if seen.pull else None,
        cold_start=account.measurements.cold_start,
        routes=account.routes,
        counters=account.counters,
        warnings=_warnings(step, seen, account),
    )


def _model(model: str, step: Step, seen: Observation) -> wire.ModelFigures | None:
    stored, listed = seen.server.stored, step.memory.watch.listed
    if stored is None:
        return None
    return wire.ModelFigures(
        name=model,
        digest=stored.digest,
        size_bytes=stored.size_bytes,
        parameters=stored.parameters,
        quantisation=stored.quantisation,
        context_length=listed.context_length if listed else None,
    )


def _residency(step: Step) -> wire.Residency | None:
    listed = step.memory.watch.listed
    if listed is None:
        return None
    return wire.Residency(listed.size_bytes, listed.vram_bytes, listed.expires_at)


def _gpu(gpu: Gpu) -> wire.GpuFigures:
    return wire.GpuFigures(
        uuid=gpu.uuid,
        name=gpu.name,
        total_bytes=gpu.total_bytes,
        used_bytes=gpu.used_bytes,
        utilisation_ratio=gpu.utilisation_ratio,
        power_watts=gpu.power_watts,
        temperature_celsius=gpu.temperature_celsius,
    )


def _warnings(step: Step, seen: Observation, account: Account) -> tuple[str, ...]:
    unknown = seen.gpus.unknown if seen.gpus else None
    errors = [
        f"{gpu.name} ({gpu.uuid}) counts {gpu.uncorrected_errors} uncorrected memory errors"
        for gpu in (seen.gpus.devices if seen.gpus else ())
        if gpu.uncorrected_errors
    ]
    slower = "so some losses of heat are noticed only by polls and canaries"
    blind = [f"{reason}; {slower}" for reason in account.blind]
    told = [sentence for sentence in (unknown, account.gate_error, account.told_wrong) if sentence]
    return (*step.findings, *errors, *told, *blind)


def rfc3339(wall: float) -> str:
    """A time as Kubernetes writes it."""
    return datetime.fromtimestamp(wall, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
