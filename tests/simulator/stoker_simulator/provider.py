"""Somebody else in Ollama's place: a server that says it is Ollama, and asks nobody here (R4).

It takes any model for its own, answers in Ollama's forms, at once, and has one model of its own.
"""

import hashlib
from collections.abc import Callable

from stoker_simulator.answers import Counts
from stoker_simulator.errors import ApiError
from stoker_simulator.forms import ChatCompletionForm, ChatForm, End, Form, LinesForm, OpenAiForm
from stoker_simulator.go_json import Json, read_object
from stoker_simulator.go_time import SECOND, timestamp
from stoker_simulator.http import Request, Response
from stoker_simulator.service import Service
from stoker_simulator.wire import send_json

_WORDS = ("An", " answer", " from", " somewhere", " else.")
_PLENTY = 10**9

_FORMS: dict[str, Callable[[str], Form]] = {
    "/api/generate": LinesForm,
    "/api/chat": ChatForm,
    "/v1/completions": lambda model: OpenAiForm(model, with_usage=True),
    "/v1/chat/completions": lambda model: ChatCompletionForm(model, with_usage=True),
}


async def answer(service: Service, request: Request, response: Response) -> None:
    """Answers any request, while the fault `wrong-provider` is in force."""
    response.server = _said(service, "server")
    path = request.path.partition("?")[0]
    lists = {
        "/api/version": {"version": _said(service, "version")},
        "/api/tags": {"models": [_model(service)]},
        "/api/ps": {"models": []},
        "/v1/models": {"object": "list", "data": [{"id": _said(service, "model")}]},
    }
    if path == "/":
        response.send(200, b"Ollama is running", "text/plain; charset=utf-8")
    elif path in lists:
        send_json(response, lists[path])
    elif path in _FORMS:
        await _speak(service, request, response, _FORMS[path](_said(service, "model")))
    else:
        send_json(response, {"error": "not found"}, 404)


async def _speak(service: Service, request: Request, response: Response, form: Form) -> None:
    try:
        body = read_object(request.body, "Request", {"stream": "bool"})
    except ApiError as error:
        send_json(response, {"error": error.message}, error.status)
        return
    now = service.clock.now()
    end = End(Counts("stop", 1, 1, len(_WORDS), 1), total_time=1, load_time=1)
    if not body.get("stream", isinstance(form, LinesForm)):
        response.send(200, form.whole("".join(_WORDS), end, now), form.whole_kind)
        return
    response.begin(200, form.stream_kind)
    for word in _WORDS:
        await response.write(form.word(word, now))
    await response.write(form.last(end, now))
    response.end()


def _model(service: Service) -> Json:
    name = _said(service, "model")
    return {
        "name": name,
        "model": name,
        "modified_at": timestamp(service.clock.now() // SECOND * SECOND),
        "size": _PLENTY,
        "digest": hashlib.sha256(name.encode()).hexdigest(),
        "details": {},
    }


def _said(service: Service, what: str) -> str:
    return service.faults.text("wrong-provider", what, "")
