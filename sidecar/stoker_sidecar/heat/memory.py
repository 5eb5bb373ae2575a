"""What the heart remembers from one step to the next."""

from dataclasses import dataclass

from stoker_api.reasons import Reason
from stoker_api.wire import Arguments, HeatConfig, HeatState
from stoker_sidecar.heat.observation import Deed, Fault, Identity
from stoker_sidecar.heat.watch import Watch


@dataclass(frozen=True)
class Wanted:
    """What the pod is made for, and how its heat is to be kept."""

    pod: Arguments
    heat: HeatConfig
    jitter: float = 0.5
    """Between 0 and 1, another for each pod, so that pods do not all try again at once."""


@dataclass(frozen=True)
class Verdict:
    """What the model is now, and why."""

    state: HeatState
    reason: Reason
    message: str

    @property
    def is_hot(self) -> bool:
        """Suspicion alone keeps the gate open."""
        return self.state in (HeatState.HOT, HeatState.SUSPECT)


@dataclass(frozen=True)
class Doing:
    """The deed under way. There is never more than one."""

    deed: Deed
    since: float


@dataclass(frozen=True)
class Mark:
    """What a proof is a proof of: if any of it changes, the proof is void."""

    server: Identity | None
    runner: Identity | None
    in_sight: bool
    """Whether processes could be seen at all."""
    digest: str
    context_length: int | None

    def is_alike(self, new: "Mark") -> bool:
        """Whether it is the same model with the same context, in whatever process."""
        return (self.digest, self.context_length) == (new.digest, new.context_length)

    def merged(self, new: "Mark") -> "Mark | None":
        """The same, with what either knows; None if the other is another thing.

        Processes may come into sight, or go out of it, while the model stays as it is.
        """
        if not self.is_alike(new):
            return None
        if not new.in_sight:
            return self
        if not self.in_sight:
            return new
        same = (self.server, self.runner) == (new.server, new.runner)
        return new if same else None


@dataclass(frozen=True)
class Proof:
    """How well it is known that the model answers."""

    of: Mark | None = None
    good: int = 0
    """Answers in a row, up to what the warm-up asks for."""
    misses: int = 0
    """Canaries in a row that were not answered."""
    at: float | None = None
    """When something was last answered."""
    speed_known: bool = False
    """Whether an answer was long enough to tell how fast the tokens come."""
    doubt_since: float | None = None
    """A canary has timed out, and it is not yet clear whether it only waited behind others."""
    first_tokens: tuple[float, ...] = ()
    """The latest measurements, in seconds."""

    @property
    def first_token_seconds(self) -> float | None:
        """The usual one of the latest: one slow answer is no slowness."""
        if not self.first_tokens:
            return None
        return sorted(self.first_tokens)[len(self.first_tokens) // 2]


@dataclass(frozen=True)
class Tries:
    """How often something has failed in a row, and when it may be tried again."""

    failures: int = 0
    not_before: float = 0
    fault: Fault | None = None
    error: str = ""


@dataclass(frozen=True)
class Done:
    """A deed that was done, and when."""

    at: float
    deed: Deed


@dataclass(frozen=True)
class Recovery:
    """What was done about being stuck."""

    done: tuple[Done, ...] = ()
    """Lately, oldest first."""
    tried: tuple[Deed, ...] = ()
    """Since the model was last hot."""
    against: Reason | None = None
    """What the latest was against; None once the model has been hot again."""


@dataclass(frozen=True)
class Memory:
    """All of it."""

    verdict: Verdict
    progress_at: float
    """When the model last came nearer to being hot."""
    doing: Doing | None = None
    proof: Proof = Proof()
    watch: Watch = Watch()  # noqa: RUF009 - it is frozen
    pull: Tries = Tries()
    load: Tries = Tries()
    warm: Tries = Tries()
    rearmed_at: float | None = None
    answered_at: float = -60.0
    """When a request of our own last ended. The expiry that moves then is moved by it."""
    recovery: Recovery = Recovery()
    pulled: bool = False
    """Whether the model has been pulled since the sidecar started."""
    own_load: bool = False
    """A load of ours has ended, and what came of it has not been listed yet."""
    own: Mark | None = None
    """What our last load made; if that is what is loaded, nobody else had a hand in it."""
    hot_since: float | None = None
    heated: Mark | None = None
    """What was hot last, since the sidecar started."""
    lost: Verdict | None = None
    """Where the model went, until it is back in memory."""

    @property
    def opened(self) -> bool:
        """Whether the model has ever been hot since the sidecar started."""
        return self.heated is not None

    @classmethod
    def new(cls, now: float) -> "Memory":
        """What a sidecar knows that has just started."""
        start = Verdict(HeatState.UNREACHABLE, Reason.STARTING, "Nothing has been seen yet")
        return cls(verdict=start, progress_at=now)
