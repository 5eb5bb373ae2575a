"""`POST /api/pull`: from a registry, byte by byte, or from the shelf, without any."""

import json
from collections.abc import AsyncGenerator
from contextlib import aclosing

from stoker_simulator import shelf
from stoker_simulator.blobs import Blobs
from stoker_simulator.errors import ApiError
from stoker_simulator.fetching import FetchError, fetch
from stoker_simulator.go_json import Json, read_object
from stoker_simulator.http import Request, Response
from stoker_simulator.names import DEFAULT_HOST, Name, parse_name
from stoker_simulator.service import Service
from stoker_simulator.store import blobs_of
from stoker_simulator.wire import LINES, PLAIN_JSON, encode, send_json

_PULL = {"model": "string", "name": "string", "insecure": "bool", "stream": "bool"}


async def pull(service: Service, request: Request, response: Response) -> None:
    """Answers with lines of progress. A failure is one of them: the status is 200 by then."""
    body = read_object(request.body, "PullRequest", _PULL)
    name = parse_name(body.get("model") or body.get("name") or "")
    if not name.is_valid:
        raise ApiError(400, "invalid model name")
    steps = _pulled(service, name, is_plain=body.get("insecure", False))
    if not body.get("stream", True):
        await _answer_once(steps, response)
        return
    response.begin(200, LINES)
    try:
        # Closed at once when the client leaves: the download ends with the last who wants it.
        async with aclosing(steps):
            async for step in steps:
                await response.write(encode(step) + b"\n")
    except FetchError as error:
        await response.write(encode({"error": str(error)}) + b"\n")
    response.end()


async def _answer_once(steps: AsyncGenerator[Json, None], response: Response) -> None:
    try:
        async with aclosing(steps):
            last = [step async for step in steps][-1]
    except FetchError as error:
        send_json(response, {"error": str(error)}, 500, PLAIN_JSON)
        return
    send_json(response, last, kind=PLAIN_JSON)


async def _pulled(service: Service, name: Name, *, is_plain: bool) -> AsyncGenerator[Json, None]:
    """Pulls the model, one step at a time."""
    store = service.store
    yield {"status": "pulling manifest"}
    if service.faults.is_on("pull-error"):
        raise FetchError(service.faults.text("pull-error", "message", ""))
    blobs = Blobs(service, name, is_plain=is_plain)
    manifest = await _manifest(service, name, is_plain=is_plain)
    was_there = {}
    for blob in blobs_of(json.loads(manifest)):
        was_there[blob["digest"]] = store.blob_path(blob["digest"]).exists()
        async with aclosing(blobs.fetched(blob)) as steps:
            async for step in steps:
                yield step
    yield {"status": "verifying sha256 digest"}
    for digest, is_known in was_there.items():
        if not is_known:
            blobs.verify(digest)
    yield {"status": "writing manifest"}
    before = store.find(name)
    store.put_manifest(name, manifest)
    if before is not None and store.prune(blobs_of(before.manifest)):
        yield {"status": "removing unused layers"}
    service.engine.happened("pulled")
    yield {"status": "success"}


async def _manifest(service: Service, name: Name, *, is_plain: bool) -> bytes:
    shape = service.shelf.find(name)
    if shape is not None:
        return shelf.manifest(service.store, shape)
    if name.host == DEFAULT_HOST:
        # A simulator does not go to the Internet by itself.
        raise FetchError("pull model manifest: file does not exist")
    path = f"/v2/{name.namespace}/{name.model}/manifests/{name.tag}"
    try:
        async with fetch("GET", name.host, path, is_plain=is_plain) as answer:
            body = await answer.body()
    except FetchError as error:
        raise FetchError(f"pull model manifest: {error}") from error
    if answer.head.status == 404:
        raise FetchError("pull model manifest: file does not exist")
    if answer.head.status >= 400:
        raise FetchError(f"pull model manifest: {answer.head.status}: {body.decode()}")
    return body
