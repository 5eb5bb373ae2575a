"""Flags that would do nothing beside the others. They are refused: somebody relies on them."""

import argparse
from collections.abc import Iterator

from stoker_api import wire
from stoker_sidecar.errors import UsageError
from stoker_sidecar.orders import Orders


def refuse_idle_flags(parsed: argparse.Namespace, told: Orders) -> None:
    """Raises `UsageError` where a flag has no effect. A file was judged by who wrote it."""
    for sentence in (*_of_place(parsed, told), *_of_heat(parsed, told.heat)):
        raise UsageError(sentence)


def _of_place(parsed: argparse.Namespace, told: Orders) -> Iterator[str]:
    if parsed.gpu_device and not parsed.gpus:
        yield "--gpu-device needs a GPU: say with --gpus how many there are"
    if told.is_beside:
        return
    where = "with --no-processes" if parsed.no_processes else "with an Ollama on another machine"
    if parsed.ollama_pid is not None:
        yield f"--ollama-pid has no effect {where}: leave it out"
    if parsed.heartbeat_stall_seconds is not None:
        yield f"--heartbeat-stall-seconds has no effect {where}, where silence cannot be seen"


def _of_heat(parsed: argparse.Namespace, heat: object) -> Iterator[str]:
    if not isinstance(heat, wire.HeatConfig):
        return
    soft, gpu = heat.gate.shut_on, heat.gpu
    if wire.SoftReason.LATENCY in soft and heat.warmup.target_first_token_seconds is None:
        yield (
            "--gate-shut-on Latency needs a target to be slower than: say"
            " --warmup-target-first-token-seconds"
        )
    if wire.SoftReason.OFFLOAD in soft and (gpu is None or gpu.min_offload_ratio is None):
        yield "--gate-shut-on Offload needs a share to fall below: say --gpu-min-offload-ratio"
    budget = gpu.memory_budget_bytes if gpu else None
    if wire.SoftReason.BUDGET in soft and budget is None:
        yield "--gate-shut-on Budget needs a budget to be over: say --gpu-memory-budget-bytes"
    if gpu and gpu.on_over_budget is wire.OnOverBudget.BLOCK and budget is None:
        yield "--gpu-on-over-budget Block needs a budget: say --gpu-memory-budget-bytes"
    if parsed.routing_apis is not None and heat.routing.service_url is None:
        yield "--routing-apis needs a way to follow: say --routing-service-url"
