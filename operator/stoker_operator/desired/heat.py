"""The heat ConfigMap: the settings that running pods take up without a restart."""

from datetime import timedelta

from stoker_api import wire
from stoker_api.resource import LLMDeployment
from stoker_api.spec.heat import Gpu, Heartbeat
from stoker_operator.desired.identity import Manifest, heat_name, manifest
from stoker_operator.desired.service import service_url

_STALL_WITH_GPU = timedelta(seconds=120)


def heat_config_map(resource: LLMDeployment) -> Manifest:
    """The ConfigMap with `heat.json`. It never names the model: see `stoker_api.wire`."""
    return manifest(
        resource,
        "v1",
        "ConfigMap",
        heat_name(resource),
        data={wire.HEAT_FILE: heat_config(resource).to_json()},
    )


def heat_config(resource: LLMDeployment) -> wire.HeatConfig:
    """The settings, in units that need no further interpretation."""
    spec = resource.spec
    return wire.HeatConfig(
        keep_alive_seconds=spec.keep_alive,
        warmup=wire.Warmup(
            prompts=tuple(spec.warmup.prompts),
            consecutive=spec.warmup.consecutive,
            target_first_token_seconds=_seconds(spec.warmup.target_first_token),
            deadline_seconds=spec.warmup.deadline.total_seconds(),
        ),
        heartbeat=_heartbeat(spec.heartbeat, uses_gpu=spec.uses_gpu),
        gate=wire.Gate(
            shut_on=tuple(wire.SoftReason(reason) for reason in spec.gate.shut_on),
            treat_as_hot=resource.is_treated_as_hot,
        ),
        gpu=_gpu(spec.gpu) if spec.gpu and spec.uses_gpu else None,
        routing=wire.Routing(
            service_url=service_url(resource),
            apis=tuple(wire.Api(api) for api in spec.routing.apis),
        ),
    )


def _heartbeat(heartbeat: Heartbeat, *, uses_gpu: bool) -> wire.Heartbeat:
    default_stall = _STALL_WITH_GPU if uses_gpu else None
    return wire.Heartbeat(
        interval_seconds=heartbeat.interval.total_seconds(),
        canary=wire.Canary(
            idle_after_seconds=heartbeat.canary.idle_after.total_seconds(),
            timeout_seconds=heartbeat.canary.timeout.total_seconds(),
            failure_threshold=heartbeat.canary.failure_threshold,
        ),
        stall_seconds=_seconds(heartbeat.stall or default_stall),
    )


def _gpu(gpu: Gpu) -> wire.Gpu:
    return wire.Gpu(
        memory_budget_bytes=gpu.memory_budget.whole if gpu.memory_budget else None,
        on_over_budget=wire.OnOverBudget(gpu.on_over_budget),
        min_offload_ratio=float(gpu.min_offload) if gpu.min_offload else None,
    )


def _seconds(duration: timedelta | None) -> float | None:
    return None if duration is None else duration.total_seconds()
