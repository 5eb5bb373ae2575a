"""Ollama's answers, read into values.

Everything here takes bytes from a server that may be broken, or not be Ollama at all, and gives a
value or `MalformedError`, which says what was wrong. Nothing here does I/O.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime

from stoker_api.codec import MalformedError
from stoker_api.references import ModelReference
from stoker_sidecar.documents import (
    Json,
    as_object,
    clean,
    get,
    number,
    read_line,
    read_object,
    text,
)
from stoker_sidecar.heat.observation import Loaded, Stored

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_SLOWEST, _FASTEST = 1e-3, 1e6
"""Tokens per second that a machine can mean seriously."""
_MOST_LOADED = 256
_MOST_CAPABILITIES = 32
"""Both are looked through at every heartbeat."""
_WEIGHTS = re.compile(r"^FROM .*(sha256-[0-9a-f]{64})\W*$", re.MULTILINE)


# --- names --------------------------------------------------------------------------------------


def canonical(name: str) -> str:
    """The one way to write this model's name: Ollama takes several, in upper and lower case."""
    reference = ModelReference.parse(name)
    return str(reference or name).lower()


def find(models: Iterable[Loaded], name: str, digest: str | None) -> Loaded | None:
    """The model among those that are loaded, if it is there.

    By digest if one is known: the same model may be listed under the name of a copy, and a name
    twice when its tag moved. By name otherwise.
    """
    wanted, wanted_digest = canonical(name), digest and full(digest)
    listed = tuple(models)
    by_digest = (model for model in listed if model.digest == wanted_digest)
    by_name = (model for model in listed if canonical(model.name) == wanted)
    return next(by_digest, None) or next(by_name, None)


def full(digest: str) -> str:
    """A digest as the spec has it. Ollama's lists leave out what kind it is."""
    return digest if ":" in digest or not digest else f"sha256:{digest}"


def is_embedding(capabilities: Iterable[str]) -> bool:
    """Whether a model answers vectors and no text."""
    has = set(capabilities)
    return "embedding" in has and "completion" not in has


# --- whole answers ------------------------------------------------------------------------------


def version(body: bytes) -> str:
    """What `/api/version` tells."""
    return text(read_object(body), "version")


def loaded(body: bytes, now: float) -> tuple[Loaded, ...]:
    """What `/api/ps` lists. `now` is the time of day, in seconds since 1970."""
    models = _models(read_object(body))
    if len(models) > _MOST_LOADED:
        raise MalformedError(f"{len(models):,} models that are loaded")
    return tuple(_loaded(model, now) for model in models)


def _loaded(model: Json, now: float) -> Loaded:
    expires_at = text(model, "expires_at", "")
    return Loaded(
        name=text(model, "name"),
        digest=full(text(model, "digest")),
        size_bytes=number(model, "size"),
        vram_bytes=number(model, "size_vram", 0),
        context_length=number(model, "context_length", 0) or None,
        expires_at=expires_at,
        expires_in_seconds=seconds_until(expires_at, now),
    )


def installed(body: bytes, name: str) -> tuple[str, int] | None:
    """Digest and size of this model among those that `/api/tags` lists."""
    wanted = canonical(name)
    for model in _models(read_object(body)):
        if canonical(text(model, "name")) == wanted:
            return full(text(model, "digest")), number(model, "size")
    return None


def stored(body: bytes, digest: str, size_bytes: int) -> Stored:
    """What `/api/show` tells of a model with this digest and size."""
    shown = read_object(body)
    details = get(shown, "details", dict, {})
    facts = get(shown, "model_info", dict, {})
    weights = _WEIGHTS.search(get(shown, "modelfile", str, ""))
    trained = f"{text(facts, 'general.architecture', '')}.context_length"
    capabilities = get(shown, "capabilities", list, [])[:_MOST_CAPABILITIES]
    return Stored(
        digest=digest,
        size_bytes=size_bytes,
        weights=weights[1] if weights else None,
        capabilities=tuple(clean(each) for each in capabilities if isinstance(each, str)),
        parameters=text(details, "parameter_size", "") or None,
        quantisation=text(details, "quantization_level", "") or None,
        trained_context=number(facts, trained, 0) or None,
        requires=text(shown, "requires", "") or None,
    )


def vectors(body: bytes) -> int:
    """How many vectors `/api/embed` answers with."""
    return len(get(read_object(body), "embeddings", list, []))


def complaint(body: bytes) -> str:
    """What an answer that says no gives as its reason, in Ollama's way or in OpenAI's."""
    try:
        error = read_object(body).get("error")
    except MalformedError:
        return clean(body.decode(errors="replace")) or "no reason given"
    if isinstance(error, dict):
        error = error.get("message")
    return (isinstance(error, str) and clean(error)) or "no reason given"


def _models(document: Json) -> list[Json]:
    """The entries of a list of models. Some versions say null where there are none."""
    if "models" not in document:
        raise MalformedError("no list of models")
    return [as_object(model) for model in get(document, "models", list, [])]


# --- lines of a streamed answer -----------------------------------------------------------------


@dataclass(frozen=True)
class Part:
    """A line of a streamed answer."""

    model: str
    says_something: bool
    """There is a word in it, be it said or only thought (P18)."""
    is_last: bool
    error: str | None
    status: int
    """The HTTP status that an error would have, had it come before the answer began."""
    load_seconds: float | None
    tokens_per_second: float | None


def part(line: bytes) -> Part:
    """A line of `/api/generate`."""
    document = read_line(line)
    error = document.get("error")
    return Part(
        model=text(document, "model", ""),
        says_something=bool(document.get("response") or document.get("thinking")),
        is_last=document.get("done") is True,
        error=complaint(line) if error else None,
        status=number(document, "status", 500) if error else 200,
        load_seconds=_seconds(document, "load_duration"),
        tokens_per_second=_rate(document),
    )


@dataclass(frozen=True)
class PullLine:
    """A line of `/api/pull`."""

    phase: str
    digest: str
    """The blob that it is about; empty where it is about none."""
    done_bytes: int
    total_bytes: int
    error: str | None


def pull_line(line: bytes) -> PullLine:
    """A line of `/api/pull`."""
    document = read_object(line)
    return PullLine(
        phase=text(document, "status", ""),
        digest=text(document, "digest", ""),
        done_bytes=number(document, "completed", 0),
        total_bytes=number(document, "total", 0),
        error=complaint(line) if document.get("error") else None,
    )


def load_seconds(body: bytes) -> float | None:
    """How long an answer says that its load took."""
    return _seconds(read_object(body), "load_duration")


def _seconds(document: Json, key: str) -> float | None:
    nanoseconds = number(document, key, 0)
    return nanoseconds / 1e9 if nanoseconds else None


def _rate(document: Json) -> float | None:
    """Tokens per second. One token is no rate: nothing was timed between two."""
    tokens, seconds = number(document, "eval_count", 0), _seconds(document, "eval_duration")
    if tokens < 2 or seconds is None:  # noqa: PLR2004 - two
        return None
    return tokens / seconds if _SLOWEST < tokens / seconds < _FASTEST else None


# --- times ----------------------------------------------------------------------------------------


def seconds_until(moment: str, now: float) -> float | None:
    """The time from `now` until Ollama's `expires_at`; None where that says nothing.

    Ollama writes nanoseconds, in any time zone; for ever is 292 years from now. The year 1 is
    Go's word for "not set".
    """
    try:
        parsed = datetime.fromisoformat(moment)
        if parsed.tzinfo is None or parsed.year == 1:
            return None
        return (parsed - _EPOCH).total_seconds() - now
    except (ValueError, OverflowError):
        return None
