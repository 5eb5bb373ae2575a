"""Labels and annotations that users add to what Stoker makes."""

from typing import Annotated

from pydantic import Field

from stoker_api.part import Rules
from stoker_api.rules import Rule, matches
from stoker_api.scalars import KEY_LENGTH, KEY_PATTERN, LabelValue
from stoker_api.wire import DOMAIN, STANDARD_LABELS

_WELL_FORMED = Rule(
    f"self.all(k, size(k) <= {KEY_LENGTH} && k.matches(r'{KEY_PATTERN}'))",
    "must have keys with an optional DNS prefix and `/`, then at most 63 letters, digits, `-`,"
    " `_` and `.`, like `example.com/team`",
    lambda keys: all(len(key) <= KEY_LENGTH and matches(KEY_PATTERN, key) for key in keys),
)
_NOT_OURS = Rule(
    f"self.all(k, !k.startsWith('{DOMAIN}/') && !(k in {list(STANDARD_LABELS)}))",
    f"must leave `{DOMAIN}/…` and the labels that Stoker sets itself alone"
    f" ({', '.join(f'`{label}`' for label in STANDARD_LABELS)}): Stoker finds its pods by them",
    lambda keys: not any(key.startswith(f"{DOMAIN}/") or key in STANDARD_LABELS for key in keys),
)
# Older Kubernetes reads these annotations as a security setting.
_APPARMOR = "container.apparmor.security.beta.kubernetes.io/"
_NO_PRIVILEGE = Rule(
    f"self.all(k, !k.startsWith('{_APPARMOR}'))",
    f"must not set `{_APPARMOR}…`: the pods' security profile is not up to their users",
    lambda keys: not any(key.startswith(_APPARMOR) for key in keys),
)

_AnnotationValue = Annotated[str, Field(max_length=4096)]

Labels = Annotated[dict[str, LabelValue], Field(max_length=32), Rules((_WELL_FORMED, _NOT_OURS))]
Annotations = Annotated[
    dict[str, _AnnotationValue],
    Field(max_length=32),
    Rules((_WELL_FORMED, _NOT_OURS, _NO_PRIVILEGE)),
]
NodeLabels = Annotated[dict[str, LabelValue], Field(max_length=32), Rules((_WELL_FORMED,))]
