"""A client of Ollama for one model: just the requests that keep it hot.

Every request that may load carries the same options (P5, P6), because Ollama reloads the model
whenever they differ; `keep_alive` goes along only where the caller says so (P7), as a number (P1).
"""

import time
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, TypeVar

from stoker_api.codec import MalformedError
from stoker_api.wire import Arguments
from stoker_sidecar import answers, pulling
from stoker_sidecar.complaints import fault_of_request
from stoker_sidecar.exchange import (
    ExchangeError,
    LateError,
    NonsenseError,
    RefusedError,
    Reply,
)
from stoker_sidecar.heat.observation import (
    Deed,
    Fault,
    Loaded,
    Outcome,
    PullProgress,
    Stored,
)
from stoker_sidecar.site import Answer, Document, Site

T = TypeVar("T")

_MANY_LINES = 64
"""Lines of an answer beyond one for each token: there is no more to read than this."""


def runner_options(arguments: Arguments) -> dict[str, int]:
    """The options that make a runner what it is, as requests carry them."""
    options = {
        "num_ctx": arguments.context_length,
        "num_batch": arguments.batch,
        "num_thread": arguments.threads,
    }
    return {name: value for name, value in options.items() if value is not None}


@dataclass(frozen=True)
class Question:
    """Something to be answered: a warm-up, or a sign of life."""

    deed: Deed
    prompt: str
    tokens: int
    """The most that it may answer with."""
    seconds: float | None
    keep_alive: int | None = None
    """Seconds, or -1 for ever; None leaves it as it is."""


@dataclass(frozen=True)
class Said:
    """What came of a request, as far as it tells."""

    load_seconds: float | None = None
    first_token_seconds: float | None = None
    last_token_seconds: float | None = None
    tokens_per_second: float | None = None


class Ollama:
    """The Ollama at a site, as far as one model is concerned.

    What looks, raises ExchangeError where there is no good answer. What acts, gives an outcome in
    any case. Both end at once when they are cancelled, and Ollama then gives up what it was at.
    """

    def __init__(
        self,
        site: Site,
        model: str,
        options: Mapping[str, int],
        *,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.site = site
        self.model = model
        self._options = dict(options)
        self._clock = clock
        self._wall = wall

    def at(self, site: Site) -> "Ollama":
        """The same model, asked for in the same way, at another address."""
        return Ollama(site, self.model, self._options, clock=self._clock, wall=self._wall)

    # --- looking --------------------------------------------------------------------------------

    async def version(self, seconds: float) -> str:
        """The version of the server."""
        return self._read(answers.version, await self._get("/api/version", seconds))

    async def loaded(self, seconds: float) -> tuple[Loaded, ...]:
        """The models that are loaded; a runner that crashed is still listed."""
        body = await self._get("/api/ps", seconds)
        return self._read(lambda body: answers.loaded(body, self._wall()), body)

    async def installed(self, seconds: float) -> tuple[str, int] | None:
        """Digest and size of the model in the store; None where it is not there."""
        body = await self._get("/api/tags", seconds)
        return self._read(lambda body: answers.installed(body, self.model), body)

    async def stored(self, seconds: float) -> Stored | None:
        """The model in the store; None where it is not there."""
        if not (found := await self.installed(seconds)):
            return None
        try:
            body = self._good(await self._post("/api/show", {}, seconds))
        except RefusedError as error:
            if error.status == HTTPStatus.NOT_FOUND:  # deleted meanwhile
                return None
            raise
        return self._read(lambda body: answers.stored(body, *found), body)

    async def hear(self, question: Question) -> Said:
        """What the model answers, word by word; ExchangeError where there is no good answer."""
        started = self._clock()
        options = self._options | {"num_predict": question.tokens}
        fields = {"prompt": question.prompt, "stream": True, "options": options}
        request = self._request(fields | _keep_alive(question))
        async with self.site.exchange("/api/generate", request, seconds=question.seconds) as reply:
            await self._require_good(reply)
            return await self._listen(reply, question.tokens, started)

    # --- acting ---------------------------------------------------------------------------------

    async def load(
        self,
        keep_alive: int,
        *,
        embeds: bool = False,
        deed: Deed = Deed.LOAD,
        seconds: float | None = None,
    ) -> Outcome:
        """Loads the model, or gives a loaded one a new time to stay.

        A load has no time limit by itself, because whoever hangs up aborts it (P11). The way in is
        another one for models that embed (P16).
        """
        return await self._outcome(deed, self._touch(keep_alive, embeds, seconds))

    async def unload(self, seconds: float | None, *, embeds: bool = False) -> Outcome:
        """Lets the model go, once the answers that it is giving are finished."""
        return await self._outcome(Deed.UNLOAD, self._touch(0, embeds, seconds))

    async def say(self, question: Question) -> Outcome:
        """Lets the model answer, word by word, as it would a client."""
        return await self._outcome(question.deed, self.hear(question))

    async def embed(self, question: Question) -> Outcome:
        """Lets a model that embeds turn the prompt into a vector."""
        return await self._outcome(question.deed, self._embed(question))

    async def pull(
        self, report: Callable[[PullProgress], None], *, stall_seconds: float, insecure: bool
    ) -> Outcome:
        """Pulls the model, reporting whenever it has come further.

        It is given up when no byte has come for `stall_seconds`. What has arrived stays: the next
        pull goes on from there. Ollama itself starts what stalls anew after 30 s.
        """
        return await self._outcome(Deed.PULL, self._pull(report, stall_seconds, insecure))

    # --- how ------------------------------------------------------------------------------------

    async def _pull(
        self,
        report: Callable[[PullProgress], None],
        stall_seconds: float,
        insecure: bool,  # noqa: FBT001
    ) -> Said:
        request = {"model": self.model, "insecure": insecure, "stream": True}
        async with self.site.exchange("/api/pull", request, seconds=None) as reply:
            if reply.status != HTTPStatus.OK:
                raise pulling.failure(answers.complaint(await reply.body()))
            await pulling.follow(reply, report, stall_seconds)
        return Said()

    async def _touch(self, keep_alive: int, embeds: bool, seconds: float | None) -> Said:  # noqa: FBT001
        path = "/api/embed" if embeds else "/api/generate"
        self._good(await self._post(path, {"keep_alive": keep_alive, "stream": False}, seconds))
        return Said()

    async def _embed(self, question: Question) -> Said:
        started = self._clock()
        fields = {"input": question.prompt} | _keep_alive(question)
        body = self._good(await self._post("/api/embed", fields, question.seconds))
        if not self._read(answers.vectors, body):
            raise NonsenseError(f"{self.site.url} has answered a text without a vector")
        load_seconds = self._read(answers.load_seconds, body)
        return Said(load_seconds, first_token_seconds=self._clock() - started)

    async def _listen(self, reply: Reply, tokens: int, started: float) -> Said:
        """Reads an answer to its end."""
        first: float | None = None
        last: answers.Part | None = None
        for _ in range(tokens + _MANY_LINES):
            if (line := await reply.line()) is None:
                break
            last = self._part(line)
            if first is None and (last.says_something or last.is_last):
                first = self._clock() - started
        else:
            raise NonsenseError(f"{self.site.url} says more than the {tokens} tokens asked for")
        if last is None or not last.is_last:
            raise NonsenseError(f"{self.site.url} has broken off its answer")
        rate = last.tokens_per_second if tokens > 1 else None  # one token has no speed
        return Said(last.load_seconds, first, self._clock() - started, rate)

    def _part(self, line: bytes) -> answers.Part:
        part = self._read(answers.part, line)
        if part.error:
            raise RefusedError(part.error, part.status)
        if part.model and answers.canonical(part.model) != answers.canonical(self.model):
            raise NonsenseError(
                f"{self.site.url} has been asked for `{self.model}`, and `{part.model}` answers"
            )
        return part

    async def _outcome(self, deed: Deed, work: Awaitable[Said]) -> Outcome:
        started = self._clock()
        try:
            said = await work
        except ExchangeError as error:
            seconds = self._clock() - started
            return Outcome(deed, seconds, fault=_fault(error), error=str(error))
        return Outcome(
            deed,
            self._clock() - started,
            load_seconds=said.load_seconds,
            first_token_seconds=said.first_token_seconds,
            tokens_per_second=said.tokens_per_second,
        )

    async def _get(self, path: str, seconds: float) -> bytes:
        return self._good(await self.site.ask(path, seconds=seconds))

    async def _post(self, path: str, fields: Document, seconds: float | None) -> Answer:
        return await self.site.ask(path, self._request(fields), seconds=seconds)

    def _request(self, fields: Document) -> dict[str, Any]:
        return {"model": self.model, "options": self._options, **fields}

    def _good(self, answer: Answer) -> bytes:
        """The body of an answer that does not say no; that includes every redirect."""
        if answer.status != HTTPStatus.OK:
            raise RefusedError(answers.complaint(answer.body), answer.status)
        return answer.body

    async def _require_good(self, reply: Reply) -> None:
        if reply.status != HTTPStatus.OK:
            raise RefusedError(answers.complaint(await reply.body()), reply.status)

    def _read(self, reader: Callable[[bytes], T], body: bytes) -> T:
        try:
            return reader(body)
        except MalformedError as error:
            raise NonsenseError(f"{self.site.url} does not answer like Ollama: {error}") from error


def _keep_alive(question: Question) -> dict[str, int]:
    return {} if question.keep_alive is None else {"keep_alive": question.keep_alive}


def _fault(error: ExchangeError) -> Fault:
    match error:
        case pulling.PullError():
            return error.fault
        case RefusedError():
            return fault_of_request(error.status, str(error))
        case LateError():
            return Fault.TIMED_OUT
        case _:
            return Fault.OTHER
