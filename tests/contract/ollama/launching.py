"""Brings up the kinds of Ollama that contract tests run against."""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack, contextmanager

from bed import models, ollama
from bed.models import Model
from contract.ollama.api import NOTHING, Launch, Ollama, Processes
from contract.simulator import serving as simulator

Serving = Callable[[Mapping[str, Model], Mapping[str, str]], AbstractContextManager[Processes]]

KINDS: dict[str, Serving] = {"real": ollama.serving, "simulator": simulator.serving}
"""Ways to bring up a server that has these models."""


@contextmanager
def launching(kind: str, started: list[Ollama]) -> Iterator[Launch]:
    """Starts servers of this kind, and ends them with the block; `started` takes each of them."""
    small = {"tiny": models.tiny(), "other": models.other(), "embedding": models.embedding()}
    with ExitStack() as stack:

        def start(more: Mapping[str, Model] = NOTHING, **environment: str) -> Ollama:
            serving = KINDS[kind]({**small, **more}, environment)
            server = Ollama(stack.enter_context(serving))
            stack.callback(server.http.close)
            started.append(server)
            return server

        yield start
