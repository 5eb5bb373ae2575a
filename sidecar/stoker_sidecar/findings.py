"""What was seen at the end of a client's way, and what to make of it. Nothing here does I/O."""

from dataclasses import dataclass, replace
from enum import StrEnum

from stoker_api.wire import Api, Route
from stoker_sidecar.answers import seconds_until
from stoker_sidecar.exchange import (
    ExchangeError,
    LateError,
    RefusedError,
    UnreachableError,
    UnresolvedError,
    UntrustedError,
)
from stoker_sidecar.heat.observation import Loaded

_NOT_OFFERED = (404, 405)
_REDIRECTS = range(300, 400)


class Reason(StrEnum):
    """What is at the end of a way."""

    REACHED = "Reached"
    NO_ENDPOINTS = "NoEndpoints"
    """Nothing is hot yet, so the Service leads to nobody."""
    UNREACHABLE = "Unreachable"
    DNS_FAILED = "DnsFailed"
    UNTRUSTED = "Untrusted"
    """No TLS connection that can be trusted."""
    TIMED_OUT = "TimedOut"
    REFUSED = "Refused"
    """An error of the server, or of something before it."""
    NOT_LOADED = "NotLoaded"
    WRONG_MODEL = "WrongModel"
    WRONG_PROVIDER = "WrongProvider"
    NOT_STREAMING = "NotStreaming"
    UNKNOWN = "Unknown"
    """This pod's own Ollama does not tell what to look for."""


@dataclass(frozen=True)
class Finding:
    """What is at the end of a way, in a word and in a sentence."""

    reason: Reason
    message: str
    is_here: bool | None = None
    """Whether it was this pod's own Ollama that answered; None where that cannot be told."""

    @property
    def ok(self) -> bool:
        return self.reason is Reason.REACHED

    def on(self, api: Api) -> Route:
        """The finding as `/status` tells it."""
        return Route(api, self.ok, self.reason.value, self.message)


class BlindError(ExchangeError):
    """There is nothing to compare with: this pod's own Ollama does not answer."""


@dataclass(frozen=True)
class Sight:
    """What was seen at the end of a way, and here, before and after it."""

    url: str
    model: str
    digest: str | None
    """Of the model in the store here."""
    their_digest: str | None
    before: Loaded | None
    theirs: Loaded | None
    after: Loaded | None

    @property
    def is_here(self) -> bool | None:
        """Whether it is the same server; None where that cannot be told.

        It is another one if nothing was answered here meanwhile and the expiry differs all the
        same. While requests come and go, only a match proves something.
        """
        if self.before is None or self.after is None:
            return None
        if self.theirs is not None:
            moments = [_moment(loaded) for loaded in (self.before, self.theirs, self.after)]
            if moments == sorted(moments):
                return True
        return False if self.before.expires_at == self.after.expires_at else None


def judge(sight: Sight) -> Finding:
    """What is at the end of the way."""
    url, model, here = sight.url, sight.model, sight.is_here
    if sight.digest is None:
        return Finding(Reason.UNKNOWN, f"`{model}` is not here yet, so {url} cannot be judged")
    if sight.their_digest != sight.digest:
        has = f"has {sight.their_digest} under the name" if sight.their_digest else "does not have"
        message = f"{url} {has} `{model}`, which is {sight.digest} here"
        return Finding(Reason.WRONG_MODEL, message, is_here=here)
    if sight.theirs is None:
        message = f"{url} has `{model}`, but has not loaded it"
        return Finding(Reason.NOT_LOADED, message, is_here=here)
    if sight.theirs.digest != sight.digest:
        message = f"{url} has loaded `{model}` as {sight.theirs.digest}; it is {sight.digest} here"
        return Finding(Reason.WRONG_MODEL, message, is_here=here)
    where = {True: "this pod", False: "another server", None: "a server"}[here]
    return Finding(Reason.REACHED, f"{url} leads to {where} with `{model}` ({sight.digest})", here)


def failed(url: str, error: ExchangeError) -> Finding:
    """What to say where nobody could be seen."""
    match error:
        case BlindError():
            message = f"{url} cannot be judged: this pod's own Ollama does not answer ({error})"
            return Finding(Reason.UNKNOWN, message)
        case UnresolvedError():
            return Finding(Reason.DNS_FAILED, str(error))
        case UntrustedError():
            return Finding(Reason.UNTRUSTED, str(error))
        case UnreachableError():
            return Finding(Reason.UNREACHABLE, str(error))
        case LateError():
            return Finding(Reason.TIMED_OUT, str(error))
        case RefusedError() if error.status not in (*_REDIRECTS, *_NOT_OFFERED):
            return Finding(Reason.REFUSED, f"{url} answers {error.status}: {error}")
        case RefusedError():
            message = f"{url} does not answer like Ollama, but {error.status}: {error}"
            return Finding(Reason.WRONG_PROVIDER, message, is_here=False)
        case _:
            return Finding(Reason.WRONG_PROVIDER, str(error), is_here=False)


def at_rest(finding: Finding, *, hot: bool) -> Finding:
    """The finding for `/status`: before anything is hot, nobody is to be expected there."""
    if hot or finding.reason not in (Reason.UNREACHABLE, Reason.TIMED_OUT):
        return finding
    message = f"nothing is hot yet, so the Service leads to nobody ({finding.message})"
    return replace(finding, reason=Reason.NO_ENDPOINTS, message=message)


def _moment(loaded: Loaded) -> float:
    return seconds_until(loaded.expires_at, 0) or 0.0
