"""The strings and numbers of the API that have rules of their own.

A `Scalar` annotates a field: `Annotated[timedelta, between("100ms", "1m")]`. It checks what was
written, explains what is wrong with it, and hands on the value in the form that code wants.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from typing import Annotated, Any

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError, core_schema

from stoker_api import durations, quantities, references
from stoker_api.quantities import Quantity
from stoker_api.references import ModelReference
from stoker_api.rules import Rule, as_validations, matches, matching

_TEXT: JsonSchemaValue = {"type": "string"}
_INT_OR_TEXT: JsonSchemaValue = {
    "anyOf": [{"type": "integer"}, {"type": "string"}],
    "x-kubernetes-int-or-string": True,
}


@dataclass(frozen=True)
class Scalar:
    """How one kind of scalar is described, judged, read and written again."""

    rules: tuple[Rule, ...]
    longest: int = 253
    number_too: bool = False
    read: Callable[[Any], Any] = lambda raw: raw
    write: Callable[[Any], Any] = lambda value: value

    def _read(self, raw: Any) -> Any:
        if not isinstance(raw, str) and not (self.number_too and type(raw) is int):
            wanted = "a whole number or a string" if self.number_too else "a string"
            raise PydanticCustomError("stoker", f"must be {wanted}")
        if isinstance(raw, str) and len(raw) > self.longest:
            raise PydanticCustomError("stoker", f"must be at most {self.longest} characters long")
        for rule in self.rules:
            if not rule.holds(raw):
                raise PydanticCustomError("stoker_rule", "{message}", {"message": rule.message})
        return self.read(raw)

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_plain_validator_function(
            self._read,
            serialization=core_schema.plain_serializer_function_ser_schema(self.write),
        )

    def __get_pydantic_json_schema__(
        self, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        kind = _INT_OR_TEXT if self.number_too else _TEXT
        return kind | {"maxLength": self.longest} | as_validations(self.rules)


# --- time ---------------------------------------------------------------------------------------

FOREVER = -1
"""A keep-alive without end, in the only form that every Ollama reads alike: the number."""


def between(shortest: str, longest: str) -> Scalar:
    """A duration within bounds."""
    low, high = durations.parse(shortest), durations.parse(longest)
    if low is None or high is None:
        raise ValueError(f"bounds must be durations: {shortest!r}, {longest!r}")

    def is_within(text: str) -> bool:
        duration = durations.parse(text)
        return duration is not None and low <= duration <= high

    return Scalar(
        rules=(
            Rule(
                f"self != '' && self.matches(r'{durations.PATTERN}')"
                f" && duration(self) >= duration('{shortest}')"
                f" && duration(self) <= duration('{longest}')",
                f"must be a duration from {shortest} to {longest}, like {durations.EXAMPLES} (units"
                " h, m, s and ms, largest first; 1d is 24h)",
                is_within,
            ),
        ),
        longest=32,
        read=durations.parse,
        write=durations.render,
    )


_SHORTEST_LEASE = timedelta(seconds=10)
_SECONDS_PATTERN = "^-?[0-9]{1,9}$"
_ENDLESS_PATTERN = "^-[1-9][0-9]{0,5}[hms]$"


def _lease_seconds(raw: int | str) -> int | None:
    """A keep-alive in whole seconds (FOREVER where it is negative); None where it is unreadable."""
    if isinstance(raw, str) and matches(_ENDLESS_PATTERN, raw):
        return FOREVER
    if isinstance(raw, str) and matches(_SECONDS_PATTERN, raw):
        raw = int(raw)
    if isinstance(raw, int):
        return max(raw, FOREVER)
    duration = durations.parse(raw)
    return None if duration is None else math.ceil(duration.total_seconds())


def _is_lease(raw: int | str) -> bool:
    seconds = _lease_seconds(raw)
    return seconds is not None and (
        seconds == FOREVER or _SHORTEST_LEASE.total_seconds() <= seconds < 10**9
    )


_SHORTEST_SECONDS = int(_SHORTEST_LEASE.total_seconds())
KEEP_ALIVE = Scalar(
    rules=(
        Rule(
            f"type(self) == int ? (self < 0 || (self >= {_SHORTEST_SECONDS} && self < 1000000000))"
            f" : self.matches(r'{_ENDLESS_PATTERN}') || (self.matches(r'{_SECONDS_PATTERN}')"
            f" ? (int(self) < 0 || int(self) >= {_SHORTEST_SECONDS})"
            f" : (self != '' && self.matches(r'{durations.PATTERN}')"
            f" && duration(self) >= duration('{_SHORTEST_SECONDS}s')))",
            f"must be -1 (never unload), or at least {_SHORTEST_SECONDS} seconds, as a number or as"
            " a duration like `30m` or `1h30m` (no days: 1d is 24h); 0 would unload the model after"
            " every request: to free the memory set suspend: true",
            _is_lease,
        ),
    ),
    longest=32,
    number_too=True,
    read=_lease_seconds,
)
KeepAlive = Annotated[int, KEEP_ALIVE]

# --- amounts ------------------------------------------------------------------------------------


def _is_positive_quantity(raw: int | str) -> bool:
    value = quantities.parse(str(raw))
    return value is not None and value > 0


AMOUNT = Scalar(
    rules=(
        Rule(
            "isQuantity(string(self)) && quantity(string(self)).isGreaterThan(quantity('0'))",
            f"must be a Kubernetes quantity greater than 0, like {quantities.EXAMPLES}",
            _is_positive_quantity,
        ),
    ),
    longest=32,
    number_too=True,
    read=Quantity,
    write=str,
)
Amount = Annotated[Quantity, AMOUNT]

_PERCENT_PATTERN = "^(100|[1-9]?[0-9])%$"

SHARE = Scalar(
    rules=(
        matching(
            "^(100|[1-9][0-9]?)%$",
            "must be a whole percentage from 1% to 100%, written like `90%`",
        ),
    ),
    longest=4,
    read=lambda raw: Decimal(raw.removesuffix("%")) / 100,
    write=lambda share: f"{share * 100:.0f}%",
)
Share = Annotated[Decimal, SHARE]

_MOST_PODS = 10_000
COUNT_OR_SHARE = Scalar(
    rules=(
        Rule(
            f"type(self) == int ? self >= 0 && self <= {_MOST_PODS}"
            f" : self.matches(r'{_PERCENT_PATTERN}')",
            f"must be a number of pods (0 to {_MOST_PODS}) or a percentage of them, like `25%`",
            lambda raw: (
                0 <= raw <= _MOST_PODS if isinstance(raw, int) else matches(_PERCENT_PATTERN, raw)
            ),
        ),
    ),
    longest=4,
    number_too=True,
)
CountOrShare = Annotated[int | str, COUNT_OR_SHARE]

AUTO = "auto"
_MOST_THREADS = 512
THREADS = Scalar(
    rules=(
        Rule(
            f"type(self) == int ? self >= 1 && self <= {_MOST_THREADS} : self == '{AUTO}'",
            f"must be a number of threads (1 to {_MOST_THREADS}) or `{AUTO}`",
            lambda raw: 1 <= raw <= _MOST_THREADS if isinstance(raw, int) else raw == AUTO,
        ),
    ),
    longest=4,
    number_too=True,
)
Threads = Annotated[int | str, THREADS]

# --- names --------------------------------------------------------------------------------------

MODEL = Scalar(
    rules=(
        matching(
            references.PATTERN,
            "must be a model reference as `ollama pull` takes it, like `phi3:mini`,"
            " `hf.co/org/repo:Q4_K_M` or `registry:5000/ns/name:tag`"
            " (no URL scheme; a digest belongs in `digest`)",
        ),
        Rule(
            f"!self.matches(r'{references.CLOUD_PATTERN}')",
            "must be a model that runs here: `:cloud` and `-cloud` models run elsewhere, so there"
            " is nothing to keep warm",
            lambda text: not matches(references.CLOUD_PATTERN, text),
        ),
    ),
    longest=512,
    read=ModelReference.parse,
    write=str,
)
Model = Annotated[ModelReference, MODEL]

Digest = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                "^sha256:[0-9a-f]{64}$",
                "must be a SHA-256 digest: `sha256:` and 64 hexadecimal digits in lower case, as"
                " `/api/tags` shows it",
            ),
        ),
        longest=71,
    ),
]

_LABEL = "[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?"
_SUBDOMAIN = rf"{_LABEL}(\.{_LABEL})*"
_WORDS = "[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?"
KEY_PATTERN = f"^({_SUBDOMAIN}/)?{_WORDS}$"
"""What Kubernetes calls a qualified name: the keys of labels and annotations."""

KEY_LENGTH = 317

ObjectName = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                f"^{_SUBDOMAIN}$",
                "must be the name of a Kubernetes object: lower-case letters, digits, `-` and `.`,"
                " starting and ending with a letter or digit",
            ),
        ),
    ),
]

Key = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                KEY_PATTERN,
                "must be a label key: an optional DNS prefix and `/`, then at most 63 letters,"
                " digits, `-`, `_` and `.`, like `topology.kubernetes.io/zone`",
            ),
        ),
        longest=KEY_LENGTH,
    ),
]

LabelValue = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                f"^({_WORDS})?$",
                "must be a label value: at most 63 letters, digits, `-`, `_` and `.`, starting and"
                " ending with a letter or digit; quote it if YAML reads it as a number or boolean",
            ),
        ),
        longest=63,
    ),
]

DeviceName = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                f"^{_SUBDOMAIN}/{_WORDS}$",
                "must be an extended resource as nodes advertise it, like `nvidia.com/gpu`",
            ),
        ),
        longest=KEY_LENGTH,
    ),
]

Image = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                "^[A-Za-z0-9][A-Za-z0-9._:/@-]*$",
                "must be an image reference, like `docker.io/ollama/ollama:0.17.4`",
            ),
        ),
        longest=512,
    ),
]

VariableName = Annotated[
    str,
    Scalar(
        rules=(
            matching(
                "^[A-Za-z_][A-Za-z0-9_]*$",
                "must be the name of an environment variable: letters, digits and `_`, not"
                " starting with a digit",
            ),
        ),
    ),
]
