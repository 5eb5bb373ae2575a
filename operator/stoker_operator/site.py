"""Where the kubelet and Prometheus ask: /livez, /readyz and /metrics."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

Judge = Callable[[], str | None]
"""What is wrong, in a sentence; None where nothing is."""


@asynccontextmanager
async def serving(
    listen: tuple[str, int], registry: CollectorRegistry, is_live: Judge, is_ready: Judge
) -> AsyncIterator[int]:
    """Answers while the block lasts; the port it answers at."""

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
    runner = web.AppRunner(pages, access_log=None)
    await runner.setup()
    try:
        site = web.TCPSite(runner, *listen)
        await site.start()
        port: int = runner.addresses[0][1]
        yield port
    finally:
        await runner.cleanup()
