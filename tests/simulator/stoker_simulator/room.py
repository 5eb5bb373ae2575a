"""Where a model goes beside those that are loaded, and who leaves when there is no place."""

from collections.abc import Collection
from dataclasses import dataclass, replace

from stoker_simulator.loaded import Runner
from stoker_simulator.memory import Machine, Placement, fit, reduced_contexts, too_big
from stoker_simulator.requests import Request

MODELS_PER_GPU = 3


@dataclass
class Room:
    """The machine's memory, and the rules by which it is given away."""

    machine: Machine
    max_loaded: int = 0
    """0 is three for each GPU, or three."""
    reduces_context: bool = False
    """Whether a context that nobody asked for shrinks until the model fits (from 0.30)."""
    most_gpu_layers: int | None = None

    def is_full(self, loaded: Collection[Runner]) -> bool:
        """Whether there may not be one more, however small."""
        return len(loaded) >= (self.max_loaded or MODELS_PER_GPU)

    def place(self, request: Request, loaded: Collection[Runner]) -> Placement | None:
        """Where the model goes; None if there is no place as long as these are loaded."""
        demands = [request.demand]
        if self.reduces_context and request.context_is_automatic:
            smaller = reduced_contexts(request.demand.context)
            demands += [replace(request.demand, context=context) for context in smaller]
        asked = (request.options.num_gpu, self.most_gpu_layers)
        limit = min((n for n in asked if n is not None and n >= 0), default=request.demand.layers)
        return fit(demands, [runner.placement for runner in loaded], self.machine, limit)

    def refusal(self, request: Request) -> str:
        """What is said of a model that has no place even alone."""
        return too_big(request.demand, self.machine)


def victim(loaded: Collection[Runner]) -> Runner:
    """Who leaves: the shortest keep-alive, then the first by path; but idle ones before all."""
    order = sorted(loaded, key=lambda one: (one.keep_alive, one.request.key))
    return next((runner for runner in order if not runner.users), order[0])
