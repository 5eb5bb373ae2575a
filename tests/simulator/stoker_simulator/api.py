"""Which path is answered by what, and what is refused before that."""

import ipaddress
import socket
from collections.abc import Awaitable, Callable, Mapping

from stoker_simulator import catalog, inference, openai, provider, pull
from stoker_simulator.errors import ApiError
from stoker_simulator.http import Request, Response
from stoker_simulator.service import Service
from stoker_simulator.wire import send_json

Endpoint = Callable[[Service, Request, Response], Awaitable[None]]

ROUTES: Mapping[str, Mapping[str, Endpoint]] = {
    "/": {"HEAD": catalog.root, "GET": catalog.root},
    "/api/version": {"HEAD": catalog.version, "GET": catalog.version},
    "/api/tags": {"HEAD": catalog.tags, "GET": catalog.tags},
    "/api/ps": {"GET": catalog.processes},
    "/api/show": {"POST": catalog.show},
    "/api/copy": {"POST": catalog.copy},
    "/api/delete": {"DELETE": catalog.delete},
    "/api/create": {"POST": catalog.create},
    "/api/blobs/": {"HEAD": catalog.has_blob, "POST": catalog.put_blob},
    "/api/pull": {"POST": pull.pull},
    "/api/generate": {"POST": inference.generate},
    "/api/chat": {"POST": inference.chat},
    "/api/embed": {"POST": inference.embed},
    "/api/embeddings": {"POST": inference.embeddings},
    "/v1/models": {"GET": openai.models},
    "/v1/models/": {"GET": openai.one_model},
    "/v1/chat/completions": {"POST": openai.chat_completions},
    "/v1/completions": {"POST": openai.completions},
    "/v1/embeddings": {"POST": openai.embeddings},
}
# The paths above that end in a name.
_PREFIXES = ("/api/blobs/", "/v1/models/")

_LOCAL_ENDINGS = (".localhost", ".local", ".internal")


class Api:
    """Answers requests to an Ollama."""

    def __init__(self, service: Service, *, is_local: bool) -> None:
        self._service = service
        self._is_local = is_local
        """Whether only this machine can reach it: then other names in `Host` are refused."""

    async def handle(self, request: Request, response: Response) -> None:
        """Answers one request, whatever it is."""
        if self._is_local and not _is_allowed(request.headers.get("host", "")):
            response.send(403)
            return
        if self._service.faults.is_on("wrong-provider"):
            await provider.answer(self._service, request, response)
            return
        endpoint = _endpoint(request, response)
        if endpoint is None:
            return
        try:
            await endpoint(self._service, request, response)
        except ApiError as error:
            if request.path.startswith("/v1/"):
                openai.refuse(response, error)
            else:
                send_json(response, {"error": error.message}, error.status)


def _endpoint(request: Request, response: Response) -> Endpoint | None:
    """What answers this path; None if it has been answered with what is wrong."""
    path = request.path.partition("?")[0]
    prefix = next((one for one in _PREFIXES if path.startswith(one)), path)
    methods = ROUTES.get(prefix)
    if methods is None:
        response.send(404, b"404 page not found", "text/plain")
        return None
    if request.method not in methods:
        allow = {"Allow": ", ".join(methods)}
        response.send(405, b"405 method not allowed", "text/plain", allow)
        return None
    return methods[request.method]


def _is_allowed(host: str) -> bool:
    """Whether Ollama takes this for itself when it listens on loopback."""
    name = _without_port(host).lower()
    try:
        address = ipaddress.ip_address(name)
    except ValueError:
        local = ("", "localhost", socket.gethostname().lower())
        return name in local or name.endswith(_LOCAL_ENDINGS)
    return address.is_loopback or address.is_private or address.is_unspecified


def _without_port(host: str) -> str:
    if host.startswith("["):
        return host[1:].partition("]")[0]
    return host.rpartition(":")[0] if host.count(":") == 1 else host
