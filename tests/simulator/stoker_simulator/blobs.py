"""Getting the blobs of a model: shared by all who want the same one, resumed, tried again."""

import asyncio
import contextlib
import hashlib
from collections.abc import AsyncGenerator
from contextlib import aclosing
from pathlib import Path

from stoker_simulator import shelf
from stoker_simulator.download import Download
from stoker_simulator.fetching import Answer, FetchError, fetch
from stoker_simulator.go_json import Json
from stoker_simulator.go_time import SECOND
from stoker_simulator.names import Name
from stoker_simulator.service import Service

STALL_TIME = 30 * SECOND
MOST_TRIES = 6
STEPS_OF_SHELF = 50
_INVERTED = bytes(255 - byte for byte in range(256))


class DiskFullError(FetchError):
    """There is no space left: trying again is no use."""


class Blobs:
    """The blobs of one model, from where its name says."""

    def __init__(self, service: Service, name: Name, *, is_plain: bool) -> None:
        self._service = service
        self._name = name
        self._is_plain = is_plain

    async def fetched(self, blob: Json) -> AsyncGenerator[Json, None]:
        """Gets the blob if it is not there, and tells how far it is."""
        digest, path = blob["digest"], self._service.store.blob_path(blob["digest"])
        line = {"status": f"pulling {digest[7:19]}", "digest": digest, "total": blob["size"]}
        if path.exists():
            yield {**line, "completed": blob["size"]}
            return
        download = self._join(blob)
        try:
            async with aclosing(download.progress()) as progress:
                async for completed in progress:
                    yield {**line, "completed": completed} if completed else line
        finally:
            self._leave(digest, download)

    def verify(self, digest: str) -> None:
        """Looks whether the blob is what its digest says; if not, it is thrown away."""
        path = self._service.store.blob_path(digest)
        found = self._digest_of(path)
        if found != digest:
            path.unlink()
            raise FetchError(
                f"digest mismatch, file must be downloaded again: want {digest}, got {found}"
            )

    def _digest_of(self, path: Path) -> str:
        shape = self._service.shelf.find(self._name)
        if shape is not None and path.name.endswith(shelf.weights_digest(shape)[7:]):
            return shelf.real_digest(path, shape)
        with path.open("rb") as file:
            return f"sha256:{hashlib.file_digest(file, 'sha256').hexdigest()}"

    def _join(self, blob: Json) -> Download:
        downloads = self._service.downloads
        if blob["digest"] not in downloads:
            download = downloads[blob["digest"]] = Download(blob["size"])
            download.task = asyncio.create_task(self._run(blob, download))
        downloads[blob["digest"]].waiting += 1
        return downloads[blob["digest"]]

    def _leave(self, digest: str, download: Download) -> None:
        download.waiting -= 1
        assert download.task is not None
        if not download.waiting:
            download.task.cancel()
            self._service.downloads.pop(digest, None)

    async def _run(self, blob: Json, download: Download) -> None:
        shape = self._service.shelf.find(self._name)
        if shape is not None:
            await self._pretend(download)
            shelf.make_weights(self._service.store, shape, self._arrived)
            return
        path = self._service.store.blob_path(blob["digest"])
        partial = path.with_name(path.name + "-partial")
        partial.parent.mkdir(parents=True, exist_ok=True)
        await self._locate(blob["digest"])
        attempt = 0
        while True:
            try:
                if await self._fetch_rest(blob, download, partial):
                    partial.rename(path)
                    return
            except DiskFullError:
                raise
            except FetchError as error:
                if attempt == MOST_TRIES:
                    raise FetchError(f"max retries exceeded: {error}") from error
                await self._service.clock.sleep(2**attempt * SECOND)
                attempt += 1

    async def _pretend(self, download: Download) -> None:
        """Lets a download take its time, without any bytes."""
        seconds = download.total / self._service.engine.hardware.network_bandwidth
        for step in range(1, STEPS_OF_SHELF + 1):
            await self._service.clock.sleep(int(seconds / STEPS_OF_SHELF * SECOND))
            await self._bite()
            download.tell(download.total * step // STEPS_OF_SHELF)

    async def _bite(self) -> None:
        """Lets the faults of downloads happen."""
        if self._service.faults.is_on("disk-full"):
            raise DiskFullError("write: no space left on device")
        await self._service.faults.until_over("pull-stall")

    def _arrived(self, piece: bytes) -> bytes:
        """The bytes as they come out of the network: others, if that is the fault in force."""
        wrong = self._service.faults.is_on("wrong-digest")
        return piece.translate(_INVERTED) if wrong else piece

    async def _locate(self, digest: str) -> None:
        """Asks for the size, then for the place of the data, as Ollama does."""
        for method in ("HEAD", "GET"):
            async with self._ask(method, digest) as answer:
                if answer.head.status >= 400:
                    raise FetchError(f"{answer.head.status}: {(await answer.body()).decode()}")

    async def _fetch_rest(self, blob: Json, download: Download, partial: Path) -> bool:
        """Gets what is not there yet; False after a stall, which loses what this attempt got."""
        start = _size(partial)
        asked = f"{start}-{blob['size'] - 1}"
        async with self._ask("GET", blob["digest"], asked) as answer:
            if answer.head.status >= 400:
                raise FetchError(str(answer.head.status))
            with partial.open("ab") as file:
                while file.tell() < blob["size"]:
                    piece = asyncio.ensure_future(answer.piece())
                    await self._service.engine.either(piece, STALL_TIME)
                    if not piece.done():
                        piece.cancel()
                        file.truncate(start)
                        return False
                    await self._bite()
                    file.write(self._arrived(piece.result()))
                    file.flush()
                    download.tell(file.tell())
        return True

    def _ask(
        self, method: str, digest: str, asked_range: str = ""
    ) -> contextlib.AbstractAsyncContextManager[Answer]:
        path = f"/v2/{self._name.namespace}/{self._name.model}/blobs/{digest}"
        return fetch(
            method, self._name.host, path, is_plain=self._is_plain, asked_range=asked_range
        )


def _size(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0
