"""A mistake in the sidecar itself: it is told, and the sidecar goes on."""

import asyncio
from collections.abc import Callable
from pathlib import Path

import pytest

from stoker_api import wire
from stoker_sidecar.act import Deeds, Facts
from stoker_sidecar.config import defaults
from stoker_sidecar.hands import Hands
from stoker_sidecar.heat import Action
from stoker_sidecar.heat.observation import Deed
from stoker_sidecar.keeper import Body, Keeper, Settings
from stoker_sidecar.observe import Observer, Senses
from stoker_sidecar.ollama import Ollama
from stoker_sidecar.question import Question
from stoker_sidecar.site import Site

MODEL = wire.Arguments(model="tiny")
BROKEN_LOOKS = (2, 3)
NOBODY = "http://127.0.0.1:1"


class ForgetfulHands(Hands):
    """Hands with a mistake in them."""

    looks = 0

    def can_restart(self) -> bool:
        self.looks += 1
        if self.looks in BROKEN_LOOKS:
            raise KeyError("a mistake")
        return False

    def kill(self, pid: int) -> None:
        raise KeyError(pid)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - what is waited for tells nobody
            await asyncio.sleep(0.01)


def senses(folder: Path) -> Senses:
    return Senses(Ollama(Site(NOBODY), "tiny", {}), None, None, None, ForgetfulHands(folder))


def test_a_deed_that_breaks_has_an_outcome(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def broken() -> str | None:
        ended = asyncio.Event()
        parts = senses(tmp_path)
        deeds = Deeds(parts.ollama, parts.hands, insecure_registry=False, on_end=ended.set)
        deeds.begin(Action(Deed.KILL), Facts(defaults(uses_gpu=False), None, runner_pid=1))
        await asyncio.wait_for(ended.wait(), 10)
        (outcome,) = deeds.take()
        return outcome.error

    error = asyncio.run(broken())
    assert error
    assert "a mistake in Stoker" in error
    assert "deed broke" in caplog.text


def test_a_step_that_breaks_is_followed_by_the_next(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def watched() -> None:
        woken = asyncio.Event()
        parts = senses(tmp_path)
        observer = Observer(parts, woken.set)
        deeds = Deeds(parts.ollama, parts.hands, insecure_registry=False, on_end=woken.set)
        settings = Settings(MODEL, defaults(uses_gpu=False))
        keeper = Keeper(settings, Body(observer, deeds, woken))
        running = asyncio.create_task(keeper.run())
        await until(lambda: keeper.last.verdict.reason == "ServerDown")
        running.cancel()
        await asyncio.wait([running])
        await observer.close()

    asyncio.run(watched())
    assert "step broke" in caplog.text


def test_a_question_that_breaks_can_be_asked_again(caplog: pytest.LogCaptureFixture) -> None:
    async def asked() -> None:
        question = Question()

        async def mistake() -> None:
            raise KeyError("a mistake")

        question.ask(mistake)
        await until(lambda: not question.is_open)

    asyncio.run(asked())
    assert "question broke" in caplog.text
