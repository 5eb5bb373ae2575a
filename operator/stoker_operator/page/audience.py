"""Who follows, and what each has not been told of yet. Where nobody follows nothing is kept."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager

from stoker_operator.errors import StokerError
from stoker_operator.world import Key


class TooManyError(StokerError):
    """No more can follow at the same time."""


class Follower:
    """One who follows. However slow, it costs no more than the names of what has changed."""

    def __init__(self) -> None:
        self._news: set[Key] = set()
        self._has_news = asyncio.Event()

    def add(self, key: Key) -> None:
        self._news.add(key)
        self._has_news.set()

    async def news(self, seconds: float) -> set[Key]:
        """What has changed since the last call, once something has; nothing after that time."""
        try:
            async with asyncio.timeout(seconds):
                await self._has_news.wait()
        except TimeoutError:
            return set()
        self._has_news.clear()
        news, self._news = self._news, set()
        return news


class Audience:
    """All who follow."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._followers: set[Follower] = set()

    def tell(self, key: Key) -> None:
        """Something has changed about it."""
        for each in self._followers:
            each.add(key)

    @contextmanager
    def joined(self) -> Iterator[Follower]:
        """One more who follows, while the block lasts; TooManyError where there is no place."""
        if len(self._followers) >= self._most:
            raise TooManyError(f"{self._most} follow already; close a page that nobody looks at")
        follower = Follower()
        self._followers.add(follower)
        try:
            yield follower
        finally:
            self._followers.discard(follower)
