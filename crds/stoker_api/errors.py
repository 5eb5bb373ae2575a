"""What can be wrong with a manifest.

InvalidManifestError    an LLMDeployment that breaks the API; holds every `Problem` found
"""

import json
from dataclasses import dataclass
from typing import Any

from stoker_api.words import escaped

_SHOWN_CHARACTERS = 60


@dataclass(frozen=True)
class Problem:
    """One thing that is wrong: where, and a sentence that says what to write instead."""

    path: tuple[str | int, ...]
    message: str
    found: Any = None
    """What stood there, where that is a plain value."""

    @property
    def field(self) -> str:
        """The path as people write it: `spec.server.env[0].name`."""
        text = ""
        for step in self.path:
            text += f"[{step}]" if isinstance(step, int) else f".{_cut(escaped(step))}"
        return text.removeprefix(".") or "document"

    def __str__(self) -> str:
        return f"{self.field}: {self._shown_value}{self.message}"

    @property
    def _shown_value(self) -> str:
        """What was found, safe to print: JSON quotes what a terminal would obey."""
        if not isinstance(self.found, str | int | float):
            return ""
        return f"{_cut(json.dumps(self.found))} "


def _cut(text: str) -> str:
    return text if len(text) <= _SHOWN_CHARACTERS else text[:_SHOWN_CHARACTERS] + "…"


class InvalidManifestError(ValueError):
    """An LLMDeployment that breaks the API."""

    def __init__(self, problems: list[Problem]) -> None:
        super().__init__("; ".join(str(problem) for problem in problems))
        self.problems = problems
