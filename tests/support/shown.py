"""The status page of a board, served on this machine while a test looks at it."""

import asyncio
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field

from stoker_operator import site
from stoker_operator.page.board import Board
from stoker_operator.page.serving import application

_HOST = "127.0.0.1"
_SECONDS = 10


@dataclass
class Shown:
    """A page that is served, from a thread of its own as the operator does from its loop."""

    board: Board
    absence: str | None = None
    """Why there is nothing to show; a test may change it."""
    url: str = ""
    _loop: asyncio.AbstractEventLoop = field(default_factory=asyncio.new_event_loop)

    def do(self, work: Callable[[], object]) -> None:
        """Done where the board lives; returns when it is."""

        async def called() -> None:
            work()

        asyncio.run_coroutine_threadsafe(called(), self._loop).result(_SECONDS)

    async def _serve(self, is_up: threading.Event, ended: asyncio.Event) -> None:
        page = application(self.board, lambda: self.absence, _HOST)
        async with site.serving(page, (_HOST, 0)) as port:
            self.url = f"http://{_HOST}:{port}/"
            is_up.set()
            await ended.wait()


@contextmanager
def shown(board: Board) -> Iterator[Shown]:
    """The page, while the block lasts."""
    found, is_up, ended = Shown(board), threading.Event(), asyncio.Event()
    loop = found._loop  # noqa: SLF001
    thread = threading.Thread(
        target=loop.run_until_complete,
        args=(found._serve(is_up, ended),),  # noqa: SLF001
    )
    thread.start()
    try:
        assert is_up.wait(_SECONDS)
        yield found
    finally:
        loop.call_soon_threadsafe(ended.set)
        thread.join(_SECONDS)
        loop.close()
