"""How often the observer asks, whatever the answers are."""

import asyncio
from pathlib import Path

from stoker_sidecar.hands import Hands
from stoker_sidecar.heat.observation import Loaded
from stoker_sidecar.observe import SOON_SECONDS, Observer, Senses
from stoker_sidecar.ollama import Ollama
from stoker_sidecar.site import Site

BEATS = 54
BEAT_SECONDS = 0.037


class GoneOllama(Ollama):
    """Nobody is there; counts who asks."""

    asked = 0

    async def loaded(self, seconds: float) -> tuple[Loaded, ...]:
        self.asked += 1
        return await super().loaded(seconds)


def test_a_server_that_is_gone_is_asked_for_often_but_not_ever_more_often(tmp_path: Path) -> None:
    ollama = GoneOllama(Site("http://127.0.0.1:1"), "tiny", {})

    async def watch() -> None:
        observer = Observer(Senses(ollama, None, None, None, Hands(tmp_path)), lambda: None)
        for _ in range(BEATS):
            observer.beat()
            await asyncio.sleep(BEAT_SECONDS)
        await observer.close()

    asyncio.run(watch())
    # Each beat asks, and between them whoever waits for its return does.
    assert ollama.asked <= BEATS + BEATS * BEAT_SECONDS / SOON_SECONDS + 1
