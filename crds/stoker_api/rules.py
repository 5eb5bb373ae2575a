"""A rule of the API, said once for both who must know it.

The API server gets it as CEL in the CRD; `stoker validate`, `stoker up` and the operator get it as
Python. Both sit side by side in one value with one message, so that neither can be forgotten.
"""

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

VALIDATIONS_KEY = "x-kubernetes-validations"


@dataclass(frozen=True)
class Rule:
    """What must hold of a value, or (`changes`) of a value and the one that it replaces."""

    cel: str
    message: str
    holds: Callable[..., bool]
    field: str | None = None
    """The field below the value to point at."""

    @property
    def changes(self) -> bool:
        """Whether the rule is about an update, and so needs the old value too."""
        return "oldSelf" in self.cel

    def as_validation(self) -> dict[str, str]:
        """The rule as an entry of a schema's validations."""
        validation = {"rule": self.cel, "message": self.message}
        if self.field is not None:
            validation["fieldPath"] = f".{self.field}"
        return validation


def as_validations(rules: tuple[Rule, ...]) -> dict[str, Any]:
    """The piece of a schema that states these rules; nothing where there are none."""
    return {VALIDATIONS_KEY: [rule.as_validation() for rule in rules]} if rules else {}


def matches(pattern: str, text: str) -> bool:
    """What CEL's `matches` says, where `$` is the end of the text and no place before it."""
    return re.search(re.sub(r"\$$", r"\\Z", pattern), text) is not None


def matching(pattern: str, message: str) -> Rule:
    """The rule that a string matches `pattern` (in the syntax that RE2 and Python share)."""
    return Rule(f"self.matches(r'{pattern}')", message, lambda text: matches(pattern, text))
