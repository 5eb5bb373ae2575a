"""OpenAI's API as Ollama serves it: it cannot say how long a model stays, nor its context."""

import base64
import struct
from typing import Any

from stoker_simulator.errors import ApiError
from stoker_simulator.forms import ChatCompletionForm, Form, OpenAiForm, openai_error
from stoker_simulator.go_json import Json, read_object
from stoker_simulator.go_time import SECOND
from stoker_simulator.http import Request, Response
from stoker_simulator.inference import Turn, answer, prompt_of
from stoker_simulator.names import parse_name
from stoker_simulator.service import Service
from stoker_simulator.store import Installed
from stoker_simulator.wire import PLAIN_JSON, encode, send_json

_CHAT = {"model": "string", "messages": "[]openai.Message", "stream": "bool", "max_tokens": "int"}
_COMPLETION = {"model": "string", "prompt": "string", "stream": "bool", "max_tokens": "int"}
_EMBED = {"model": "string", "encoding_format": "string", "dimensions": "int"}
_SAMPLING = {"max_tokens": "num_predict", "seed": "seed", "temperature": "temperature"}


class BadRequestError(ApiError):
    """A body that the OpenAI layer itself refuses."""


async def chat_completions(service: Service, request: Request, response: Response) -> None:
    """`POST /v1/chat/completions`."""
    body = _read(request, "ChatCompletionRequest", _CHAT)
    if not body.get("messages"):
        raise BadRequestError(400, "[] is too short - 'messages'")
    form = ChatCompletionForm(body.get("model", ""), with_usage=_wants_usage(body))
    await _answer(service, body, prompt_of(body["messages"]), form, response)


async def completions(service: Service, request: Request, response: Response) -> None:
    """`POST /v1/completions`."""
    body = _read(request, "CompletionRequest", _COMPLETION)
    form = OpenAiForm(body.get("model", ""), with_usage=_wants_usage(body))
    await _answer(service, body, body.get("prompt", ""), form, response)


async def embeddings(service: Service, request: Request, response: Response) -> None:
    """`POST /v1/embeddings`."""
    body = _read(request, "EmbedRequest", _EMBED)
    texts = body.get("input") or []
    texts = [texts] if isinstance(texts, str) else texts
    if not isinstance(texts, list) or not texts:
        raise BadRequestError(400, "invalid input")
    name = body.get("model", "")
    model = service.model(name, quoted='model "{}" not found, try pulling it first')
    packs = body.get("encoding_format", "").lower() == "base64"
    async with service.runner(model, {}, service.options(model, {}), None) as holding:
        vectors = [await service.speaker.embed(holding, str(text)) for text in texts]
    data = [
        {"object": "embedding", "embedding": _packed(vector) if packs else vector, "index": index}
        for index, (vector, _) in enumerate(vectors)
    ]
    tokens = sum(count for _, count in vectors)
    usage = {"prompt_tokens": tokens, "total_tokens": tokens}
    listed = {"object": "list", "data": data, "model": body.get("model", ""), "usage": usage}
    response.send(200, encode(listed) + b"\n", PLAIN_JSON)


async def models(service: Service, request: Request, response: Response) -> None:  # noqa: ARG001
    """`GET /v1/models`."""
    data = [_model(model.name.shortest, model) for model in service.store.all()] or None
    response.send(200, encode({"object": "list", "data": data}) + b"\n", PLAIN_JSON)


async def one_model(service: Service, request: Request, response: Response) -> None:
    """`GET /v1/models/NAME`."""
    name = request.path.removeprefix("/v1/models/")
    response.send(200, encode(_model(name, service.model(name))) + b"\n", PLAIN_JSON)


def refuse(response: Response, error: ApiError) -> None:
    """Answers with an error in OpenAI's form."""
    if isinstance(error, BadRequestError):
        send_json(
            response, {"error": openai_error(error.message, "invalid_request_error")}, error.status
        )
    else:
        body = encode({"error": openai_error(error.message)}) + b"\n"
        response.send(error.status, body, PLAIN_JSON)


async def _answer(
    service: Service, body: Json, prompt: str, form: Form, response: Response
) -> None:
    name = body.get("model", "")
    model = service.model(name)
    if "completion" not in model.capabilities:
        verb = "chat" if isinstance(form, ChatCompletionForm) else "generate"
        raise ApiError(400, f'"{name}" does not support {verb}')
    options = {ours: body[theirs] for theirs, ours in _SAMPLING.items() if theirs in body}
    turn = Turn(model, prompt, {"temperature": 1.0, **options}, None, body.get("stream", False))
    await answer(service, turn, form, response)


def _read(request: Request, struct_name: str, fields: dict[str, str]) -> Json:
    if not request.body.strip():
        raise BadRequestError(400, "EOF")
    try:
        return read_object(request.body, struct_name, fields)
    except ApiError as error:
        raise BadRequestError(error.status, error.message) from None


def _wants_usage(body: Json) -> bool:
    options: Any = body.get("stream_options")
    return isinstance(options, dict) and options.get("include_usage") is True


def _model(name: str, model: Installed) -> Json:
    return {
        "id": name,
        "object": "model",
        "created": model.modified_at // SECOND,
        "owned_by": parse_name(name).namespace,
    }


def _packed(vector: list[float]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()
