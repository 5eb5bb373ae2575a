"""Plays the story to both sides at once, and writes down what came of it."""

import asyncio
import time
from dataclasses import dataclass, field

from stoker_demo.cast import Cast
from stoker_demo.clients import PATIENCE_SECONDS, Clients, until_open
from stoker_demo.errors import DemoError
from stoker_demo.record import Loss, Mark, Run, Scene, Side
from stoker_demo.story import CALM, COLD_START, Act, Step
from stoker_demo.telling import STOKER, TODAY
from stoker_demo.today import Today
from stoker_demo.with_stoker import WithStoker
from stoker_operator.local.process import Leash

_HOT_SECONDS = 60.0
_LOOK_SECONDS = 0.1
_SETTLED_SECONDS = 1.0
"""The calm begins so long after all are hot: what waited for that is then answered."""


@dataclass
class _Party:
    """One side while it is played to."""

    name: str
    world: Today | WithStoker
    clients: Clients
    opened: float = 0.0
    losses: list[Loss] = field(default_factory=list)

    def side(self) -> Side:
        """What became of it so far."""
        return Side(
            name=self.name,
            opened=self.opened,
            requests=tuple(sorted(self.clients.requests, key=lambda each: each.began)),
            changes=tuple(self.world.changes),
            losses=tuple(self.losses),
        )


class Stage:
    """One performance."""

    def __init__(self, cast: Cast, today: Today, stoker: WithStoker) -> None:
        self._cast = cast
        self._zero = time.monotonic()
        self._leash = Leash()
        self._over = asyncio.Event()
        self._scenes: list[Scene] = []
        self._marks: list[Mark] = []
        self._title, self._began = COLD_START, 0.0
        self._today = self._party(TODAY, today)
        self._stoker = self._party(STOKER, stoker)

    def clock(self) -> float:
        """Seconds since the beginning."""
        return time.monotonic() - self._zero

    def run(self) -> Run:
        """All that is known by now."""
        current = Scene(self._title, self._began, self.clock(), tuple(self._marks))
        scenes = (*self._scenes, current)
        calm = next((each for each in scenes if each.name == CALM), None)
        return Run(
            server=self._cast.server,
            today=self._today.side(),
            stoker=self._stoker.side(),
            scenes=scenes,
            calm=calm,
            patience_seconds=PATIENCE_SECONDS,
        )

    async def play(self) -> Run:
        """Plays it all; what has been started has ended when this returns."""
        try:
            async with asyncio.TaskGroup() as group:
                for party in self._parties:
                    group.create_task(self._serve(party))
                await self._until_hot()
                await self._acts()
                self._over.set()
            return self.run()
        except ExceptionGroup as failures:
            # What failed first has ended all else.
            raise failures.exceptions[0] from failures
        finally:
            await self._end()

    # --- the sides ------------------------------------------------------------------------------

    @property
    def _parties(self) -> tuple[_Party, _Party]:
        return self._today, self._stoker

    def _party(self, name: str, world: Today | WithStoker) -> _Party:
        return _Party(name, world, Clients(world.service, self._cast.traffic, self.clock))

    async def _serve(self, party: _Party) -> None:
        """Starts a side; clients come as soon as its address says that they may."""
        await party.world.start(self._leash, self._cast.rival, self.clock)
        await until_open(party.world.service, _HOT_SECONDS)
        party.opened = self.clock()
        await party.clients.run(self._over)

    async def _until_hot(self) -> None:
        deadline = self.clock() + _HOT_SECONDS
        while not await self._all_hot():
            if self.clock() > deadline:
                raise DemoError(f"not all models were hot after {_HOT_SECONDS:g} s")
            await asyncio.sleep(_LOOK_SECONDS)
        await asyncio.sleep(_SETTLED_SECONDS)

    async def _all_hot(self) -> bool:
        """Whether every Ollama has its model, and each replica of Stoker's takes traffic."""
        worlds = [party.world for party in self._parties]
        if not all(world.replicas for world in worlds):
            return False
        if not all([await each.has_model() for world in worlds for each in world.replicas]):
            return False
        hot = {change.replica: change.hot for change in self._stoker.world.changes}
        return sum(hot.values()) == len(self._stoker.world.replicas)

    async def _end(self) -> None:
        try:
            for party in self._parties:
                for replica in party.world.replicas:
                    await replica.leave()
            await asyncio.gather(*(party.world.stop() for party in self._parties))
        finally:
            self._leash.close()

    # --- the story ------------------------------------------------------------------------------

    async def _acts(self) -> None:
        zero = self.clock()
        self._turn(CALM)
        for act in self._cast.story.acts:
            await self._until(zero + act.at)
            self._turn(act.name)
            await self._act(act, zero)
        await self._until(zero + self._cast.story.ends)

    async def _act(self, act: Act, zero: float) -> None:
        for step in act.steps:
            await self._until(zero + step.at)
            self._marks.append(Mark(self.clock(), act.replica, step.told))
            happening = (self._step(step, act.replica, party) for party in self._parties)
            await asyncio.gather(*happening)

    @staticmethod
    async def _step(step: Step, number: int, party: _Party) -> None:
        for deed in step.deeds:
            if loss := await party.world.replicas[number - 1].do(deed):
                party.losses.append(loss)

    def _turn(self, title: str) -> None:
        """The next scene begins."""
        now = self.clock()
        self._scenes.append(Scene(self._title, self._began, now, tuple(self._marks)))
        self._title, self._began, self._marks = title, now, []

    async def _until(self, moment: float) -> None:
        await asyncio.sleep(max(0.0, moment - self.clock()))
