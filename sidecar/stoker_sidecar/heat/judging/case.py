"""What a check looks at."""

from dataclasses import dataclass

from stoker_api.reasons import Reason
from stoker_api.wire import HeatState
from stoker_sidecar.heat.memory import Memory, Verdict, Wanted
from stoker_sidecar.heat.observation import Loaded, Observation

_LONGEST = 1000


@dataclass(frozen=True)
class Case:
    """One observation, the memory that has taken it in, and what is wanted."""

    seen: Observation
    memory: Memory
    wanted: Wanted
    now: float

    @property
    def model(self) -> Loaded | None:
        """This model as Ollama lists it."""
        return self.memory.watch.listed

    def lasts(self, since: float | None) -> float:
        """How long something has been so; 0 if it is not."""
        return 0.0 if since is None else self.now - since


def say(state: HeatState, reason: Reason, message: str) -> Verdict:
    """A verdict, with its sentence kept to what a condition may hold."""
    return Verdict(
        state, reason, message if len(message) <= _LONGEST else message[: _LONGEST - 1] + "…"
    )
