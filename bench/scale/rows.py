"""The rows of the table: what a fleet costs that is made, is at rest, and is taken up again."""

import asyncio
import json
import time
from collections import Counter
from pathlib import Path

from bench.scale import fleet
from bench.scale.latencies import Change, Scene
from bench.scale.order import Order
from bench.scale.program import USER, Operator, operator
from bench.scale.usage import Usage, until_calm
from bench.table import note, row

from bed.audit import Call, Record
from stoker_operator.telling import MOST

MOST_SECONDS = 1200
STATUS_WRITES = 2
CHANGED = 20
"""LLMDeployments that are changed while the operator is down."""


async def converging(at: Scene, running: Operator) -> None:
    """All are made at once, and become hot."""
    await until_calm(at.order.bed)
    size, record = at.order.size, Record(at.order.bed)
    before, cpu, began = Usage.now(at.order.bed), running.cpu_seconds, time.monotonic()
    resources = await fleet.create(at.cluster, [f"m-{number}" for number in range(size)])
    await at.seen.until(lambda: len(at.seen.hot) == size, "all are hot", MOST_SECONDS)
    seconds = time.monotonic() - began
    await running.until_at_rest()
    await asyncio.sleep(MOST.total_seconds())  # so long it may keep what nobody waits for
    usage, cpu = Usage.now(at.order.bed).since(before), running.cpu_seconds - cpu
    calls = _operators(record)
    writes = [call for call in calls if call.is_write]
    told = [call for call in writes if call.resource != "events"]
    wanted = len(fleet.wanted(resources[0]))
    row(
        "writes per object while converging, without events",
        len(told) / size,
        "",
        wanted + STATUS_WRITES,
        f"{wanted} objects and {STATUS_WRITES} statuses are wanted",
    )
    for resource, count in sorted(Counter(call.resource for call in writes).items()):
        note(f"{count / size:6.2f}  {resource}")
    row("events per object", (len(writes) - len(told)) / size, "", None)
    row("requests of all verbs per object", len(calls) / size, "", None, _by_verb(calls, size))
    row("passes per object", await running.passes() / size, "", None)
    row("operator CPU per write", 1000 * cpu / len(writes), "ms", 4, f"{cpu:.1f} s in all")
    row("until all are hot", seconds, "s", None)
    note(f"CPU seconds: operator {cpu:.1f}, {usage.told(cpu)}")
    _beside_peer(at.order, usage, seconds)


def _beside_peer(order: Order, usage: Usage, seconds: float) -> None:
    if order.peer.exists():
        peer = json.loads(order.peer.read_text())
        ratio = usage.of_cluster / peer["cluster_cpu_seconds"]
        row("CPU of Kubernetes / of the same for a plain loop", ratio, "", None)
        row("time until hot / time of a plain loop", seconds / peer["seconds"], "", None)


async def quiet(at: Scene) -> None:
    """Nothing happens, and nothing is asked."""
    record = Record(at.order.bed)
    await asyncio.sleep(at.order.quiet_seconds)
    calls = _operators(record)
    row(f"requests in {at.order.quiet_seconds} quiet seconds", len(calls), "", 0, _by_verb(calls))


def memory(what: str, running: Operator) -> None:
    row(what, running.peak_mib, "MiB", 150)


async def restart(at: Scene, log: Path) -> None:
    """It comes back, and there is nothing to do."""
    record = Record(at.order.bed)
    async with operator(at.order.bed, log) as running:
        await running.until_started()
        await running.until_at_rest()
        cpu, passes = running.cpu_seconds, await running.passes()
        memory("peak memory after a restart", running)
    calls = _operators(record)
    writes = sum(call.is_write for call in calls)
    row("writes at a restart with nothing to do", writes, "", 0, _by_verb(calls))
    note(f"{cpu:.1f} s CPU until at rest, for {passes} passes")


async def changed_while_down(at: Scene, log: Path) -> None:
    """It comes back, and some have changed meanwhile."""
    names = [f"m-{number}" for number in range(CHANGED)]
    made = [await Change.made(at, name, "700ms") for name in names]
    async with operator(at.order.bed, log) as running:
        for each in made:
            await at.seen.until(each.is_there, "what was changed while it was down")
        last = max(each.came() for each in made)
        row(f"{CHANGED} changes made while down, from its start", last - running.began, "s", 2)
        await running.until_started()


def _operators(record: Record) -> list[Call]:
    return [call for call in record.calls() if call.user == USER and call.resource != "leases"]


def _by_verb(calls: list[Call], size: int = 1) -> str:
    counts = Counter(f"{call.verb} {call.resource}" for call in calls if not call.is_write)
    return ", ".join(f"{count / size:.3g} {what}" for what, count in counts.most_common(8))
