"""Model names as Ollama reads and shows them: `host/namespace/model:tag`."""

import re
from dataclasses import dataclass

DEFAULT_HOST = "registry.ollama.ai"
DEFAULT_NAMESPACE = "library"
DEFAULT_TAG = "latest"

_PARTS = {
    "host": re.compile(r"\w[\w.:-]{0,349}", re.ASCII),
    "namespace": re.compile(r"\w[\w-]{0,79}", re.ASCII),
    "model": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
    "tag": re.compile(r"\w[\w.-]{0,79}", re.ASCII),
}


@dataclass(frozen=True)
class Name:
    """A complete model name."""

    host: str
    namespace: str
    model: str
    tag: str

    @property
    def is_valid(self) -> bool:
        return all(rule.fullmatch(getattr(self, part)) for part, rule in _PARTS.items())

    @property
    def path(self) -> str:
        """Where its manifest lies below `manifests/`."""
        return f"{self.host}/{self.namespace}/{self.model}/{self.tag}"

    @property
    def shortest(self) -> str:
        """The name without what is the default, but always with the tag."""
        name = f"{self.model}:{self.tag}"
        if self.host != DEFAULT_HOST:
            return f"{self.host}/{self.namespace}/{name}"
        return name if self.namespace == DEFAULT_NAMESPACE else f"{self.namespace}/{name}"

    def __str__(self) -> str:
        return f"{self.host}/{self.namespace}/{self.model}:{self.tag}"


def parse_name(text: str) -> Name:
    """The name that `text` stands for; see `is_valid`."""
    tag = DEFAULT_TAG
    if text.rfind(":") > text.rfind("/"):
        text, _, tag = text.rpartition(":")
    text = text.partition("://")[2] or text
    rest, slash, model = text.rpartition("/")
    if not slash:
        return Name(DEFAULT_HOST, DEFAULT_NAMESPACE, model, tag)
    host, slash, namespace = rest.rpartition("/")
    return Name(host if slash else DEFAULT_HOST, namespace, model, tag)
