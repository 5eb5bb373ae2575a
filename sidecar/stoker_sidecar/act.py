"""Does what the heart has decided, one deed at a time, and tells how it ended."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from stoker_api.wire import HeatConfig
from stoker_sidecar.answers import is_embedding
from stoker_sidecar.hands import Hands, HandsError
from stoker_sidecar.heat import Action
from stoker_sidecar.heat.observation import Deed, Fault, Outcome, PullProgress, Stored
from stoker_sidecar.ollama import Ollama, Question

_log = logging.getLogger(__name__)

PULL_STALL_SECONDS = 120.0
"""Ollama itself tries a stalled part again after 30 s."""


@dataclass(frozen=True)
class Facts:
    """What a deed has to know besides itself."""

    config: HeatConfig
    stored: Stored | None
    runner_pid: int | None

    @property
    def embeds(self) -> bool:
        """Whether the model can embed and not generate (P16)."""
        return self.stored is not None and is_embedding(self.stored.capabilities)


def _broken(action: Action, started: float, error: str) -> Outcome:
    return Outcome(action.deed, time.monotonic() - started, fault=Fault.OTHER, error=error)


class Deeds:
    """The deed under way, and the outcomes that nobody has taken yet."""

    def __init__(
        self,
        ollama: Ollama,
        hands: Hands,
        *,
        insecure_registry: bool,
        on_end: Callable[[], None],
    ) -> None:
        self.progress: PullProgress | None = None
        """How far the pull under way is."""
        self._ollama = ollama
        self._hands = hands
        self._insecure = insecure_registry
        self._on_end = on_end
        self._task: asyncio.Task[None] | None = None
        self._outcomes: list[Outcome] = []
        self._warmed = 0

    def begin(self, action: Action, facts: Facts) -> None:
        """Starts a deed, and gives up the one under way."""
        if self._task is not None:
            self._task.cancel()
        self.progress = None
        self._task = asyncio.create_task(self._do(action, facts))

    def take(self) -> tuple[Outcome, ...]:
        """How deeds have ended since the last time."""
        taken, self._outcomes = tuple(self._outcomes), []
        return taken

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def _do(self, action: Action, facts: Facts) -> None:
        started = time.monotonic()
        try:
            outcome = await self._work(action, facts)
        except asyncio.CancelledError:
            self._outcomes.append(Outcome(action.deed, time.monotonic() - started, given_up=True))
            raise
        except HandsError as error:
            outcome = _broken(action, started, str(error))
        except Exception as error:  # noqa: BLE001 - nothing may be lost
            # The heart waits for an outcome; without one it would wait for ever.
            _log.exception("deed broke", extra={"deed": action.deed})
            outcome = _broken(action, started, f"a mistake in Stoker: {error!r:.200}")
        self.progress = None
        self._task = None
        self._outcomes.append(outcome)
        self._on_end()

    def _work(self, action: Action, facts: Facts) -> Awaitable[Outcome]:
        keep_alive = facts.config.keep_alive_seconds
        match action.deed:
            case Deed.PULL:
                return self._pull()
            case Deed.LOAD | Deed.REARM:
                return self._ollama.load(
                    keep_alive,
                    embeds=facts.embeds,
                    deed=action.deed,
                    seconds=action.timeout_seconds,
                )
            case Deed.WARM | Deed.CANARY:
                return self._ask(action, facts)
            case Deed.UNLOAD:
                return self._unload(action, facts)
            case Deed.KILL:
                return self._kill(facts)
            case Deed.RESTART:
                return self._restart()

    def _pull(self) -> Awaitable[Outcome]:
        return self._ollama.pull(
            self._report, stall_seconds=PULL_STALL_SECONDS, insecure=self._insecure
        )

    def _report(self, progress: PullProgress) -> None:
        self.progress = progress

    def _ask(self, action: Action, facts: Facts) -> Awaitable[Outcome]:
        prompts = facts.config.warmup.prompts
        if action.deed is Deed.WARM:
            self._warmed += 1
        question = Question(
            deed=action.deed,
            prompt=prompts[self._warmed % len(prompts)],
            tokens=action.tokens,
            seconds=action.timeout_seconds,
        )
        return self._ollama.embed(question) if facts.embeds else self._ollama.say(question)

    async def _unload(self, action: Action, facts: Facts) -> Outcome:
        seconds, site = action.timeout_seconds, self._ollama.site
        if not action.models:
            return await self._ollama.unload(seconds, embeds=facts.embeds)
        outcomes = [await Ollama(site, name, {}).unload(seconds) for name in action.models]
        return next((each for each in outcomes if not each.ok), outcomes[0])

    async def _kill(self, facts: Facts) -> Outcome:
        if facts.runner_pid is not None:
            self._hands.kill(facts.runner_pid)
        return Outcome(Deed.KILL, 0.0)

    async def _restart(self) -> Outcome:
        self._hands.restart()
        return Outcome(Deed.RESTART, 0.0)
