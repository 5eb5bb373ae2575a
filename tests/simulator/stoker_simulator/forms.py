"""The forms in which an answer goes out: of two endpoints of Ollama's API, and of two of OpenAI's.

Each writes the same things: a word, the end with its counts, the whole answer at once, an error,
and that a model was loaded or unloaded.
"""

import random
from dataclasses import dataclass
from typing import Any, Protocol

from stoker_simulator.answers import Counts
from stoker_simulator.go_time import SECOND, timestamp
from stoker_simulator.wire import EVENTS, JSON, LINES, PLAIN_JSON, encode

Json = dict[str, Any]


@dataclass(frozen=True)
class End:
    """How an answer ended; times in nanoseconds."""

    counts: Counts
    total_time: int
    load_time: int


class Form(Protocol):
    """How one endpoint answers."""

    stream_kind: str
    whole_kind: str

    def word(self, text: str, now: int) -> bytes: ...

    def last(self, end: End, now: int) -> bytes: ...

    def whole(self, text: str, end: End, now: int) -> bytes: ...

    def only(self, reason: str, now: int) -> bytes:
        """The answer to a request that only loads or unloads."""

    def error(self, message: str) -> bytes: ...


class LinesForm:
    """What Ollama's own endpoints share."""

    stream_kind = LINES
    whole_kind = JSON

    def __init__(self, model: str) -> None:
        self.model = model

    def word(self, text: str, now: int) -> bytes:
        return self._line(text, {"done": False}, now) + b"\n"

    def last(self, end: End, now: int) -> bytes:
        return self.whole("", end, now) + b"\n"

    def whole(self, text: str, end: End, now: int) -> bytes:
        counts = end.counts
        return self._line(
            text,
            {
                "done": True,
                "done_reason": counts.reason,
                **self.context(counts),
                "total_duration": end.total_time,
                "load_duration": end.load_time,
                "prompt_eval_count": counts.prompt_tokens,
                "prompt_eval_duration": max(1, counts.prompt_time),
                "eval_count": counts.words,
                "eval_duration": max(1, counts.words_time),
            },
            now,
        )

    def only(self, reason: str, now: int) -> bytes:
        return self._line("", {"done": True, "done_reason": reason}, now)

    def error(self, message: str) -> bytes:
        return encode({"error": message}) + b"\n"

    def text(self, text: str) -> Json:
        return {"response": text}

    def context(self, counts: Counts) -> Json:
        """The conversation as tokens, which only `/api/generate` still returns."""
        return {"context": list(range(counts.prompt_tokens + counts.words))}

    def _line(self, text: str, rest: Json, now: int) -> bytes:
        return encode(
            {"model": self.model, "created_at": timestamp(now), **self.text(text), **rest}
        )


class ChatForm(LinesForm):
    """`/api/chat`."""

    def text(self, text: str) -> Json:
        return {"message": {"role": "assistant", "content": text}}

    def context(self, counts: Counts) -> Json:  # noqa: ARG002
        return {}


class OpenAiForm:
    """What OpenAI's endpoints share."""

    stream_kind = EVENTS
    whole_kind = PLAIN_JSON
    prefix = "cmpl"
    kind = "text_completion"
    stream_object = "text_completion"

    def __init__(self, model: str, *, with_usage: bool) -> None:
        self.model = model
        self.with_usage = with_usage
        self.id = f"{self.prefix}-{random.randrange(1000)}"

    def word(self, text: str, now: int) -> bytes:
        return _event(self._object(self.stream_object, [self.part(text, None)], now))

    def last(self, end: End, now: int) -> bytes:
        events = _event(self._object(self.stream_object, [self.part("", end.counts.reason)], now))
        if self.with_usage:
            events += _event(self._object(self.stream_object, [], now) | _usage(end))
        return events + b"data: [DONE]\n\n"

    def whole(self, text: str, end: End, now: int) -> bytes:
        choice = self.choice(text, end.counts.reason)
        return encode(self._object(self.kind, [choice], now) | _usage(end)) + b"\n"

    def only(self, reason: str, now: int) -> bytes:
        return encode(self._object(self.kind, [self.choice("", reason)], now)) + b"\n"

    def error(self, message: str) -> bytes:
        return _event({"error": openai_error(message)})

    def part(self, text: str, reason: str | None) -> Json:
        return {"text": text, "index": 0, "finish_reason": reason}

    def choice(self, text: str, reason: str) -> Json:
        return self.part(text, reason)

    def _object(self, kind: str, choices: list[Json], now: int) -> Json:
        return {
            "id": self.id,
            "object": kind,
            "created": now // SECOND,
            "model": self.model,
            "system_fingerprint": "fp_ollama",
            "choices": choices,
        }


class ChatCompletionForm(OpenAiForm):
    """`/v1/chat/completions`."""

    prefix = "chatcmpl"
    kind = "chat.completion"
    stream_object = "chat.completion.chunk"

    def part(self, text: str, reason: str | None) -> Json:
        delta = {"role": "assistant", "content": text}
        return {"index": 0, "delta": delta, "finish_reason": reason}

    def choice(self, text: str, reason: str) -> Json:
        message = {"role": "assistant", "content": text}
        return {"index": 0, "message": message, "finish_reason": reason}


def openai_error(message: str, kind: str = "api_error") -> Json:
    """An error as OpenAI's API writes it."""
    return {"message": message, "type": kind, "param": None, "code": None}


def _event(value: Json) -> bytes:
    return b"data: " + encode(value) + b"\n\n"


def _usage(end: End) -> Json:
    prompt, words = end.counts.prompt_tokens, end.counts.words
    usage = {"prompt_tokens": prompt, "completion_tokens": words, "total_tokens": prompt + words}
    return {"usage": usage}
