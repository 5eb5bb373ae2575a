"""Does the way of a client lead to this very model?

A good status proves nothing: somebody else may answer in Ollama's name. What proves it costs
nothing and loads nothing: the model's digest, and the moment at which it expires, which every
answered request sets anew, to the nanosecond. Two servers do not agree on it, and one server always
agrees with itself.

Tokens are asked for only where the caller says so, and only on a connection that has just shown
this pod's own Ollama with the model loaded. Another pod, of another revision, might have to load
its model anew to answer with our options. That the words come from here shows in the expiry: it has
moved.
"""

import asyncio
from collections.abc import Awaitable, Collection
from contextlib import closing
from typing import TypeVar

from stoker_api.wire import Api, Route
from stoker_sidecar import openai
from stoker_sidecar.answers import canonical, find
from stoker_sidecar.exchange import ExchangeError, RefusedError
from stoker_sidecar.findings import BlindError, Finding, Reason, Sight, at_rest, failed, judge
from stoker_sidecar.heat.observation import Deed, Loaded
from stoker_sidecar.ollama import Ollama, Question, Said
from stoker_sidecar.site import Site

T = TypeVar("T")

_TRIES = 3
"""Connections until one ends at this pod, or until what changed while it was looked at is settled.
"""
_TOKENS = 8
_SLOW_TOKEN_SECONDS = 0.02
"""Tokens that take as long as this come one by one, or somebody has held them back."""
_MOVE_SECONDS = 2.0
"""How long after an answer the model may still have its old expiry."""
_MOVE_STEP_SECONDS = 0.02


class Routes:
    """The ways to a model, judged from beside it."""

    def __init__(self, here: Ollama, *, seconds: float = 5.0) -> None:
        """The ways to the model of `here`. Each request may take so many seconds."""
        self._here = here
        self._seconds = seconds

    async def own_address(self, url: str, *, ask: bool = False) -> str | None:
        """Why this pod's own address leads elsewhere; None while that is not proven.

        A connection that is refused proves nothing of the kind: whether Ollama is there is seen
        from beside it. With `ask`, a few tokens are asked for as well.
        """
        for _ in range(_TRIES):
            finding = await self._visit(url, Api.OLLAMA, ask=ask)
            if finding.is_here is not False:
                return None
        return finding.message

    async def service(
        self, url: str, apis: Collection[Api], asking: Collection[Api] = (), *, hot: bool
    ) -> tuple[Route, ...]:
        """Where the clients' URL leads, on each API; any pod that has this model loaded will do.

        On the APIs in `asking` a few tokens are asked for, if the way ends at this pod. Leave out
        `openai` where the model was loaded with options that are not the server's defaults: this
        API cannot carry them, and Ollama would load it anew (P4). Leave out both for a model that
        only embeds.
        """
        findings = [await self._nearest(url, api, ask=api in asking) for api in apis]
        return tuple(
            at_rest(finding, hot=hot).on(api) for api, finding in zip(apis, findings, strict=True)
        )

    async def _nearest(self, url: str, api: Api, *, ask: bool) -> Finding:
        """What is at the end of the way, at this pod if it can be had and is to be asked."""
        for _ in range(_TRIES):
            finding = await self._visit(url, api, ask=ask)
            if finding.is_here or not (finding.ok and ask):
                break
        return finding

    async def _visit(self, url: str, api: Api, *, ask: bool) -> Finding:
        """What is at the end of one connection."""
        try:
            with closing(Site(url, connections=1)) as site:
                there = self._here.at(site)
                return await self._try(api, there, await self._look(there), ask=ask)
        except ExchangeError as error:
            return failed(url, error)

    async def _look(self, there: Ollama) -> Sight:
        """Sees who is there, without a request that could load or answer."""
        seconds = self._seconds
        installed_here = await _here(self._here.installed(seconds))
        digest = installed_here[0] if installed_here else None
        before = await self._loaded_here(digest)
        await there.version(seconds)
        installed = await there.installed(seconds)
        theirs = find(await there.loaded(seconds), there.model, digest)
        return Sight(
            url=there.site.url,
            model=there.model,
            digest=digest,
            their_digest=installed[0] if installed else None,
            before=before,
            theirs=theirs,
            after=await self._loaded_here(digest),
        )

    async def _try(self, api: Api, there: Ollama, sight: Sight, *, ask: bool) -> Finding:
        """What is at the end of the way, once this API has been tried as well."""
        finding = judge(sight)
        if not finding.ok:
            return finding
        asked = sight.after if ask and sight.is_here else None
        trial = self._openai(there, asked) if api is Api.OPENAI else self._ollama(there, asked)
        try:
            return await trial or finding
        except RefusedError as error:
            message = f"{sight.url} answers {error.status}: {error}"
            return Finding(Reason.REFUSED, message, is_here=sight.is_here)
        except ExchangeError as error:
            return failed(sight.url, error)

    async def _ollama(self, there: Ollama, asked: Loaded | None) -> Finding | None:
        """What is wrong with an answer on Ollama's API, of the model that is loaded here."""
        if asked is None:
            return None
        said = await there.hear(Question(Deed.CANARY, "hi", _TOKENS, self._seconds))
        if elsewhere := await self._elsewhere(there, asked):
            return elsewhere
        if not is_held_back(said):
            return None
        return Finding(
            Reason.NOT_STREAMING,
            f"{there.site.url} gives all words of an answer at once, though they are made one by"
            f" one, {said.tokens_per_second:.1f} a second: something holds them back",
            is_here=True,
        )

    async def _openai(self, there: Ollama, asked: Loaded | None) -> Finding | None:
        """What is wrong with the OpenAI-compatible API, or with an answer on it."""
        url, model = there.site.url, there.model
        offered = map(canonical, await openai.offered(there.site, self._seconds))
        if canonical(model) not in offered:
            return Finding(Reason.WRONG_MODEL, f"{url}/v1/models does not list `{model}`")
        if asked is None:
            return None
        heard = await openai.converse(there.site, model, _TOKENS, self._seconds)
        if not heard.streamed:
            message = f"{url}/v1/chat/completions does not stream its answer when asked to"
            return Finding(Reason.NOT_STREAMING, message, is_here=True)
        if others := [name for name in heard.models if canonical(name) != canonical(model)]:
            message = f"{url} has been asked for `{model}`, and `{others[0]}` answers"
            return Finding(Reason.WRONG_PROVIDER, message, is_here=False)
        return await self._elsewhere(there, asked)

    async def _elsewhere(self, there: Ollama, asked: Loaded) -> Finding | None:
        """What to say if an answer that has just been given was not given here."""
        try:
            async with asyncio.timeout(_MOVE_SECONDS):
                while await self._expiry_here(asked.digest) == asked.expires_at:  # noqa: ASYNC110
                    await asyncio.sleep(_MOVE_STEP_SECONDS)
        except TimeoutError:
            return Finding(
                Reason.WRONG_PROVIDER,
                f"{there.site.url} shows what is loaded here, but its answers come from elsewhere:"
                f" within {_MOVE_SECONDS:g} s no answer was counted here",
                is_here=False,
            )
        return None

    async def _loaded_here(self, digest: str | None) -> Loaded | None:
        return find(await _here(self._here.loaded(self._seconds)), self._here.model, digest)

    async def _expiry_here(self, digest: str) -> str | None:
        loaded = await self._loaded_here(digest)
        return loaded.expires_at if loaded else None


async def _here(answer: Awaitable[T]) -> T:
    """What this pod's own Ollama answers."""
    try:
        return await answer
    except ExchangeError as error:
        raise BlindError(str(error)) from error


def is_held_back(said: Said) -> bool:
    """Whether the words came all at once, though more time than that was between them."""
    if not said.tokens_per_second or said.tokens_per_second * _SLOW_TOKEN_SECONDS > 1:
        return False
    if said.first_token_seconds is None or said.last_token_seconds is None:
        return False
    apart = said.last_token_seconds - said.first_token_seconds
    return apart < 0.5 / said.tokens_per_second
