"""Answers over HTTP; among them where the kubelet and Prometheus ask."""

import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from stoker_operator.errors import StokerError

Judge = Callable[[], str | None]
"""What is wrong, in a sentence; None where nothing is."""

_STOP_SECONDS = 1.0
"""For answers that are under way at the end; a browser that follows the page never has its last."""


def probes(registry: CollectorRegistry, is_live: Judge, is_ready: Judge) -> web.Application:
    """/livez, /readyz and /metrics."""

    def judged(judge: Judge) -> Callable[[web.Request], object]:
        async def answer(_: web.Request) -> web.Response:
            wrong = judge()
            return web.Response(text=f"{wrong or 'ok'}\n", status=503 if wrong else 200)

        return answer

    async def metrics(_: web.Request) -> web.Response:
        return web.Response(
            body=generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    pages = web.Application()
    pages.router.add_get("/livez", judged(is_live))  # type: ignore[arg-type]
    pages.router.add_get("/readyz", judged(is_ready))  # type: ignore[arg-type]
    pages.router.add_get("/metrics", metrics)
    return pages


@asynccontextmanager
async def serving(pages: web.Application, listen: tuple[str, int]) -> AsyncIterator[int]:
    """Answers while the block lasts; the port it answers at."""
    runner = web.AppRunner(
        pages,
        access_log=None,
        handler_cancellation=True,  # who has left is told no more, and costs nothing
        shutdown_timeout=_STOP_SECONDS,
    )
    await runner.setup()
    try:
        try:
            await web.TCPSite(runner, *listen).start()
        except OSError as error:
            host, port = listen
            why = os.strerror(error.errno) if error.errno else str(error)
            raise StokerError(f"cannot listen at {host}:{port}: {why}") from error
        port = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()
