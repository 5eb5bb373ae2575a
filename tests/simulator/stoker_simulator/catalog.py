"""Ollama's endpoints that tell of models and change what is on disk."""

import hashlib
import json
from collections.abc import Iterator
from pathlib import Path

from stoker_simulator.errors import ApiError
from stoker_simulator.gguf import QUANTIZATIONS, Header
from stoker_simulator.go_json import Json, read_object
from stoker_simulator.go_time import SECOND, timestamp
from stoker_simulator.http import Request, Response
from stoker_simulator.loaded import Runner
from stoker_simulator.names import parse_name
from stoker_simulator.service import Service
from stoker_simulator.shelf import human_count
from stoker_simulator.store import CONFIG_TYPE, LAYER_TYPE, Installed, manifest_of
from stoker_simulator.wire import LINES, PLAIN_JSON, encode, send_json

_NAMED = {"model": "string", "name": "string"}
_COPY = {"source": "string", "destination": "string"}
_CREATE = {
    **_NAMED,
    "from": "string",
    "files": "map[string]string",
    "parameters": "map[string]interface {}",
    "system": "string",
    "template": "string",
    "stream": "bool",
}


async def root(service: Service, request: Request, response: Response) -> None:  # noqa: ARG001
    """`GET /`."""
    response.send(200, b"Ollama is running", "text/plain; charset=utf-8")


async def version(service: Service, request: Request, response: Response) -> None:  # noqa: ARG001
    """`GET /api/version`."""
    send_json(response, {"version": service.version})


async def tags(service: Service, request: Request, response: Response) -> None:  # noqa: ARG001
    """`GET /api/tags`."""
    send_json(response, {"models": [_listed(model) for model in service.store.all()]})


async def processes(service: Service, request: Request, response: Response) -> None:  # noqa: ARG001
    """`GET /api/ps`."""
    await service.clock.sleep(int(service.faults.number("ps-slow", "seconds", 0) * SECOND))
    now = service.clock.now()
    scheduler = service.engine.scheduler
    runners = list(scheduler.loaded.values())
    runners.sort(key=lambda runner: scheduler.expiry(runner, now) // SECOND, reverse=True)
    lines = [_process(service, runner, scheduler.expiry(runner, now)) for runner in runners]
    send_json(response, {"models": lines})


async def show(service: Service, request: Request, response: Response) -> None:
    """`POST /api/show`."""
    body = read_object(request.body, "ShowRequest", _NAMED)
    name = body.get("model") or body.get("name")
    if not name:
        raise ApiError(400, "model is required")
    send_json(response, _shown(service.model(name)))


async def copy(service: Service, request: Request, response: Response) -> None:
    """`POST /api/copy`."""
    body = read_object(request.body, "CopyRequest", _COPY)
    names = {field: parse_name(body.get(field, "")) for field in _COPY}
    for field, name in names.items():
        if not name.is_valid:
            raise ApiError(400, f'{field} "{body.get(field, "")}" is invalid')
    service.model(body["source"], quoted='model "{}" not found')
    service.store.copy(names["source"], names["destination"])
    response.send(200)


async def delete(service: Service, request: Request, response: Response) -> None:
    """`DELETE /api/delete`."""
    body = read_object(request.body, "DeleteRequest", _NAMED)
    name = body.get("model") or body.get("name") or ""
    if not parse_name(name).is_valid:
        raise ApiError(400, f'name "{name}" is invalid')
    service.store.delete(service.model(name).name)
    response.send(200)


async def create(service: Service, request: Request, response: Response) -> None:
    """`POST /api/create`: a variant of a model, or one from a blob."""
    body = read_object(request.body, "CreateRequest", _CREATE)
    name = parse_name(body.get("model") or body.get("name") or "")
    if not name.is_valid:
        raise ApiError(400, "invalid model name")
    steps = _created(service, body)
    if not body.get("stream", True):
        *_, last = steps
        send_json(response, last, kind=PLAIN_JSON)
        return
    try:
        first = next(steps)
    except ApiError as error:
        send_json(response, {"error": error.message}, error.status, PLAIN_JSON)
        return
    response.begin(200, LINES)
    for step in (first, *steps):
        await response.write(encode(step) + b"\n")
    response.end()


async def has_blob(service: Service, request: Request, response: Response) -> None:
    """`HEAD /api/blobs/DIGEST`."""
    digest, path = _blob(service, request)
    if not path.exists():
        raise ApiError(404, f'blob "{digest}" not found')
    response.send(200)


async def put_blob(service: Service, request: Request, response: Response) -> None:
    """`POST /api/blobs/DIGEST`."""
    digest, path = _blob(service, request)
    if path.exists():
        response.send(200)
        return
    request.content.seek(0)
    found = f"sha256:{hashlib.file_digest(request.content, 'sha256').hexdigest()}"
    if found != digest:
        raise ApiError(400, f'digest mismatch, expected "{digest}", got "{found}"')
    try:
        service.store.put_file(path, request.content)
    except OSError as error:
        raise ApiError(500, f"write {path}: {(error.strerror or '').lower()}") from error
    response.send(201)


def _blob(service: Service, request: Request) -> tuple[str, Path]:
    digest = request.path.removeprefix("/api/blobs/")
    try:
        return digest, service.store.blob_path(digest)
    except ValueError as error:
        raise ApiError(400, str(error)) from None


def _listed(model: Installed) -> Json:
    return {
        "name": model.name.shortest,
        "model": model.name.shortest,
        "modified_at": timestamp(model.modified_at),
        "size": model.size,
        "digest": model.digest,
        "details": model.details,
    }


def _process(service: Service, runner: Runner, expires_at: int) -> Json:
    """A line of `/api/ps`: what Ollama believes, which faults make wrong."""
    faults, placement, label = service.faults, runner.placement, runner.request.label
    size, on_gpu = placement.bytes, placement.gpu_bytes
    if faults.is_on("size-from-file"):
        size = on_gpu = runner.request.demand.weights_bytes
    if faults.is_on("size-vram-lie"):
        on_gpu = size
    return {
        "name": label.name,
        "model": label.name,
        "size": size,
        "digest": label.digest,
        "details": label.details,
        "expires_at": timestamp(expires_at),
        "size_vram": on_gpu,
        "context_length": placement.context,
    }


def _shown(model: Installed) -> Json:
    header = model.header
    values = {"general.parameter_count": header.parameter_count, **header.values}
    shown: Json = {
        "modelfile": _modelfile(model),
        "parameters": "\n".join(f"{name:<30} {value}" for name, value in _parameters(model)),
        "template": model.template,
        "system": model.system,
        "details": {**model.details, "parent_model": model.parent},
        "model_info": dict(sorted(values.items())),
        "tensors": [
            {"name": tensor.name, "type": tensor.type, "shape": tensor.shape}
            for tensor in header.tensors
        ],
        "capabilities": model.capabilities,
        "modified_at": timestamp(model.modified_at),
    }
    # Ollama leaves these out where they are empty.
    return {name: value for name, value in shown.items() if value or name not in _OPTIONAL}


_OPTIONAL = frozenset({"parameters", "system"})


def _parameters(model: Installed) -> Iterator[tuple[str, str]]:
    for name, value in model.parameters.items():
        for one in value if isinstance(value, list) else [value]:
            yield name, json.dumps(one)


def _modelfile(model: Installed) -> str:
    lines = [
        '# Modelfile generated by "ollama show"',
        "# To build a new Modelfile based on this, replace FROM with:",
        f"# FROM {model.name.shortest}",
        "",
        f"FROM {model.weights}",
        f"TEMPLATE {model.template}",
    ]
    lines += [f"PARAMETER {name} {value}" for name, value in _parameters(model)]
    return "\n".join([*lines, ""])


def _created(service: Service, body: Json) -> Iterator[Json]:
    """Makes the model, one step at a time."""
    store = service.store
    if base := body.get("from"):
        parent = service.model(base, status=500, quoted="pull model manifest: file does not exist")
        layers = [{**parent.manifest["layers"][0], "from": parent.name.shortest}]
        config = _config(parent.header)
    elif files := body.get("files"):
        yield {"status": "parsing GGUF"}
        layers, config = _from_file(service, next(iter(files.values())))
    else:
        raise ApiError(400, "neither 'from' or 'files' was specified")
    yield {"status": f"using existing layer {layers[0]['digest']}"}
    for kind, content in _extras(body):
        layers.append(store.put_blob(LAYER_TYPE + kind, content))
        yield {"status": f"creating new layer {layers[-1]['digest']}"}
    yield {"status": "writing manifest"}
    name = parse_name(body.get("model") or body["name"])
    store.put_manifest(name, manifest_of(store.put_blob(CONFIG_TYPE, encode(config)), layers))
    yield {"status": "success"}


def _from_file(service: Service, digest: str) -> tuple[list[Json], Json]:
    path = service.store.blob_path(digest)
    try:
        header = service.store.header(path)
    except (OSError, ValueError) as error:
        raise ApiError(400, "supplied file was not in GGUF format") from error
    layer = {"mediaType": LAYER_TYPE + "model", "digest": digest, "size": path.stat().st_size}
    return [{**layer, "from": str(path)}], _config(header)


def _config(header: Header) -> Json:
    """What Ollama makes of the weights when it creates a model from them."""
    return {
        "model_format": "gguf",
        "model_family": header.architecture,
        "model_families": [header.architecture],
        "model_type": human_count(header.parameter_count),
        "file_type": QUANTIZATIONS.get(header.values.get("general.file_type", -1), "unknown"),
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers"},
    }


def _extras(body: Json) -> Iterator[tuple[str, bytes]]:
    for kind in ("template", "system"):
        if body.get(kind):
            yield kind, body[kind].encode()
    if body.get("parameters"):
        yield "params", encode(body["parameters"]) + b"\n"
