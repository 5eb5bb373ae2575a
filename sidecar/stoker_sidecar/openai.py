"""The OpenAI-compatible API of a site, as far as a check of the way there needs it."""

from dataclasses import dataclass
from http import HTTPStatus

from stoker_api.codec import MalformedError
from stoker_sidecar.answers import complaint
from stoker_sidecar.documents import as_object, get, read_line, read_object, text
from stoker_sidecar.exchange import NonsenseError, RefusedError, Reply
from stoker_sidecar.site import Site

_MANY_LINES = 64
"""Lines of an answer beyond two for each token: there is no more to read than this."""
_PREFIX = b"data:"


@dataclass(frozen=True)
class Heard:
    """An answer, as it was given."""

    streamed: bool
    """It came as a stream of events."""
    models: frozenset[str]
    """Who said that they answered."""
    words: int
    """Events with a word in them."""


async def offered(site: Site, seconds: float) -> tuple[str, ...]:
    """The models that `/v1/models` lists."""
    answer = await site.ask("/v1/models", seconds=seconds)
    if answer.status != HTTPStatus.OK:
        raise RefusedError(complaint(answer.body), answer.status)
    try:
        models = get(read_object(answer.body), "data", list, [])
        return tuple(text(as_object(model), "id") for model in models)
    except MalformedError as error:
        raise NonsenseError(f"{site.url} has no list of models: {error}") from error


async def converse(site: Site, model: str, tokens: int, seconds: float) -> Heard:
    """Lets the model answer in a streamed chat, with so many tokens at most.

    It carries no options, because this API has none: Ollama may reload a model that was loaded
    with options of its own (P4).
    """
    request = {
        "model": model,
        "messages": [{"role": "user", "content": "hi"}],
        "max_tokens": tokens,
        "stream": True,
    }
    async with site.exchange("/v1/chat/completions", request, seconds=seconds) as reply:
        if reply.status != HTTPStatus.OK:
            raise RefusedError(complaint(await reply.body()), reply.status)
        if reply.kind != "text/event-stream":
            return Heard(streamed=False, models=frozenset(), words=0)
        try:
            return await _listen(reply, tokens)
        except MalformedError as error:
            raise NonsenseError(f"{site.url} does not stream like OpenAI: {error}") from error


async def _listen(reply: Reply, tokens: int) -> Heard:
    models: set[str] = set()
    words = 0
    for _ in range(2 * tokens + _MANY_LINES):
        if (line := await reply.line()) is None:
            raise MalformedError("the answer breaks off")
        data = line.removeprefix(_PREFIX).strip()
        if data == b"[DONE]":
            return Heard(streamed=True, models=frozenset(models), words=words)
        if line.startswith(_PREFIX):
            event = read_line(data)
            if event.get("error"):
                raise RefusedError(complaint(data), HTTPStatus.INTERNAL_SERVER_ERROR)
            models.add(text(event, "model", ""))
            words += any(_says(choice) for choice in get(event, "choices", list, []))
    raise MalformedError(f"more than the {tokens} tokens asked for")


def _says(choice: object) -> bool:
    delta = get(as_object(choice), "delta", dict, {})
    return bool(delta.get("content") or delta.get("reasoning"))
