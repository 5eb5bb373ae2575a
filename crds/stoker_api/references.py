"""Model references, read the way Ollama reads them."""

import re
from dataclasses import dataclass
from typing import Self

_WORD = "[A-Za-z0-9_]"
_HOST = _WORD + "[A-Za-z0-9_.:-]{0,349}"
_NAMESPACE = _WORD + "[A-Za-z0-9_-]{0,79}"
_NAME = _WORD + "[A-Za-z0-9_.-]{0,79}"

# Said to the API server as well, so only what RE2 and Python read alike.
PATTERN = f"^(({_HOST}/)?{_NAMESPACE}/)?{_NAME}(:{_NAME})?$"
CLOUD_PATTERN = "[:-]cloud$"

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"


@dataclass(frozen=True)
class ModelReference:
    """A model's full name; `str()` is the shortest form that means the same."""

    name: str
    tag: str = DEFAULT_TAG
    namespace: str = DEFAULT_NAMESPACE
    host: str = DEFAULT_HOST

    @classmethod
    def parse(cls, text: str) -> Self | None:
        """The model that `text` names, or None where Ollama would refuse it."""
        if not re.fullmatch(PATTERN[1:-1], text):
            return None
        path, _, last = text.rpartition("/")
        name, _, tag = last.partition(":")
        host, _, namespace = path.rpartition("/")
        return cls(name, tag or DEFAULT_TAG, namespace or DEFAULT_NAMESPACE, host or DEFAULT_HOST)

    def __str__(self) -> str:
        named = f"{self.name}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{named}"
        return named if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{named}"
