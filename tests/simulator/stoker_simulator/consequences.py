"""What faults change when they begin or end; the others bite where the code asks for them."""

from collections.abc import Callable, Mapping
from dataclasses import replace

from stoker_simulator.engine import Engine


def follow(engine: Engine) -> None:
    """Lets the faults change the engine from now on."""

    def changed(name: str) -> None:
        if name in _CONSEQUENCES:
            _CONSEQUENCES[name](engine)
        engine.happened("")

    engine.faults.listeners.append(changed)


def _freeze(engine: Engine) -> None:
    frozen = engine.faults.is_on("scheduler-deadlock")
    engine.scheduler.freeze(engine.clock.now(), frozen=frozen)
    engine.carry_out()


def _crash(engine: Engine) -> None:
    """Kills every runner once: the fault is over with that."""
    if engine.faults.is_on("runner-crash"):
        engine.kill_all()
        engine.faults.clear("runner-crash")


def _limit_layers(engine: Engine) -> None:
    layers = engine.faults.number("partial-offload", "layers", -1)
    engine.scheduler.room.most_gpu_layers = int(layers) if layers >= 0 else None


def _take_memory(engine: Engine) -> None:
    machine = engine.hardware.machine
    taken = int(engine.faults.number("gpu-memory-taken", "bytes", 0))
    left = max(0, machine.gpu_bytes - taken)
    engine.scheduler.room.machine = replace(machine, gpu_bytes=left)


def _refuse_loads(engine: Engine) -> None:
    engine.scheduler.refuses_loads = engine.faults.is_on("queue-full")


def _reduce_context(engine: Engine) -> None:
    engine.scheduler.room.reduces_context = engine.faults.is_on("context-reduced")


_CONSEQUENCES: Mapping[str, Callable[[Engine], None]] = {
    "scheduler-deadlock": _freeze,
    "runner-crash": _crash,
    "partial-offload": _limit_layers,
    "gpu-memory-taken": _take_memory,
    "queue-full": _refuse_loads,
    "context-reduced": _reduce_context,
}
