"""Ollama's own endpoints that ask a model something: generate, chat and embed."""

from collections.abc import Mapping
from contextlib import aclosing
from dataclasses import dataclass
from typing import Any

from stoker_simulator.errors import ApiError
from stoker_simulator.forms import ChatForm, End, Form, LinesForm
from stoker_simulator.go_json import Json, read_object
from stoker_simulator.http import Request, Response
from stoker_simulator.names import parse_name
from stoker_simulator.service import Service
from stoker_simulator.settings import read_keep_alive
from stoker_simulator.store import Installed
from stoker_simulator.wire import send_json

_OPTIONS = "map[string]interface {}"
_GENERATE = {
    "model": "string",
    "prompt": "string",
    "suffix": "string",
    "system": "string",
    "template": "string",
    "stream": "bool",
    "raw": "bool",
    "options": _OPTIONS,
}
_CHAT = {"model": "string", "messages": "[]api.Message", "stream": "bool", "options": _OPTIONS}
_EMBED = {"model": "string", "dimensions": "int", "options": _OPTIONS}
_EMBEDDING = {"model": "string", "prompt": "string", "options": _OPTIONS}


@dataclass(frozen=True)
class Turn:
    """What a client asks of a model."""

    model: Installed
    prompt: str
    options: Mapping[str, Any]
    keep_alive: int | None
    streams: bool


async def generate(service: Service, request: Request, response: Response) -> None:
    """`POST /api/generate`."""
    body = read_object(request.body, "GenerateRequest", _GENERATE)
    turn = _turn(body, service.model(body.get("model", "")), body.get("prompt", ""))
    form = LinesForm(body.get("model", ""))
    if not unloads(service, turn, form, response):
        _require_capabilities(turn, body, "generate")
        await answer(service, turn, form, response)


async def chat(service: Service, request: Request, response: Response) -> None:
    """`POST /api/chat`."""
    body = read_object(request.body, "ChatRequest", _CHAT)
    if not body.get("model"):
        raise ApiError(400, "model is required")
    turn = _turn(body, service.model(body["model"]), prompt_of(body.get("messages", [])))
    form = ChatForm(body.get("model", ""))
    if not unloads(service, turn, form, response):
        _require_capabilities(turn, body, "chat")
        await answer(service, turn, form, response)


async def embed(service: Service, request: Request, response: Response) -> None:
    """`POST /api/embed`."""
    body = read_object(request.body, "EmbedRequest", _EMBED)
    started = service.clock.now()
    texts = _inputs(body.get("input"))
    turn = _turn(body, _embedding_model(service, body.get("model", "")), "")
    options = service.options(turn.model, turn.options)
    async with service.runner(turn.model, turn.options, options, turn.keep_alive) as holding:
        loaded = service.clock.now()
        vectors = [await service.speaker.embed(holding, text) for text in texts]
        result: Json = {"model": body["model"], "embeddings": [vector for vector, _ in vectors]}
        if vectors:
            result["total_duration"] = service.clock.now() - started
            result["load_duration"] = max(1, loaded - started)
            result["prompt_eval_count"] = sum(count for _, count in vectors)
        send_json(response, result)


async def embeddings(service: Service, request: Request, response: Response) -> None:
    """`POST /api/embeddings`, the older one."""
    body = read_object(request.body, "EmbeddingRequest", _EMBEDDING)
    turn = _turn(body, _embedding_model(service, body.get("model", "")), body.get("prompt", ""))
    options = service.options(turn.model, turn.options)
    async with service.runner(turn.model, turn.options, options, turn.keep_alive) as holding:
        vector = (await service.speaker.embed(holding, turn.prompt))[0] if turn.prompt else []
        send_json(response, {"embedding": vector})


async def answer(service: Service, turn: Turn, form: Form, response: Response) -> None:
    """Loads the model, and answers if there is something to answer."""
    clock = service.clock
    started = clock.now()
    options = service.options(turn.model, turn.options)
    async with service.runner(turn.model, turn.options, options, turn.keep_alive) as holding:
        loaded = clock.now()
        if not turn.prompt:
            response.send(200, form.only("load", clock.now()), form.whole_kind)
            return
        words: list[str] = []
        try:
            # Closed at once when the client leaves: the next answer waits for the runner's slot.
            async with aclosing(service.speaker.say(holding, turn.prompt, options)) as parts:
                async for said in parts:
                    if said.counts is not None:
                        end = End(said.counts, clock.now() - started, max(1, loaded - started))
                    elif turn.streams:
                        await _write(response, form, form.word(said.text, clock.now()))
                    else:
                        words.append(said.text)
        except ApiError as error:
            if not response.has_begun:
                raise
            await response.write(form.error(error.message))
            response.end()
            return
        if turn.streams:
            await _write(response, form, form.last(end, clock.now()))
            response.end()
        else:
            response.send(200, form.whole("".join(words), end, clock.now()), form.whole_kind)


async def _write(response: Response, form: Form, piece: bytes) -> None:
    if not response.has_begun:
        response.begin(200, form.stream_kind)
    await response.write(piece)


def unloads(service: Service, turn: Turn, form: Form, response: Response) -> bool:
    """Whether this is a request to unload; if so, it is answered, and the model is to leave."""
    if turn.prompt or turn.keep_alive != 0:
        return False
    service.engine.unload(str(turn.model.weights))
    response.send(200, form.only("unload", service.clock.now()), form.whole_kind)
    return True


def prompt_of(messages: list[Any]) -> str:
    """All that was said so far."""
    return "\n".join(_content(message) for message in messages) or ("\n" if messages else "")


def _content(message: Any) -> str:
    content = message.get("content") if isinstance(message, dict) else ""
    if isinstance(content, list):
        return " ".join(str(part.get("text", "")) for part in content if isinstance(part, dict))
    return str(content or "")


def _turn(body: Json, model: Installed, prompt: str) -> Turn:
    return Turn(
        model=model,
        prompt=prompt,
        options=body.get("options", {}),
        keep_alive=read_keep_alive(body.get("keep_alive")),
        streams=body.get("stream", True),
    )


def _require_capabilities(turn: Turn, body: Json, verb: str) -> None:
    has = turn.model.capabilities
    if body.get("think") and "thinking" not in has:
        raise ApiError(400, f'"{body["model"]}" does not support thinking')
    if "completion" not in has:
        raise ApiError(400, f'"{body["model"]}" does not support {verb}')
    for capability, field in (("insert", "suffix"), ("tools", "tools")):
        if body.get(field) and capability not in has:
            raise ApiError(400, f"{turn.model.name} does not support {capability}")


def _embedding_model(service: Service, name: str) -> Installed:
    if not parse_name(name).is_valid:
        raise ApiError(400, "model is required")
    return service.model(name, quoted='model "{}" not found, try pulling it first')


def _inputs(value: Any) -> list[str]:
    texts = [value] if isinstance(value, str) and value else value or []
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise ApiError(400, "invalid input type")
    return texts
