"""An LLMDeployment as a whole, and the one door by which a manifest becomes one."""

from typing import Any, Literal

from stoker_api.part import Part
from stoker_api.rules import Rule, matches
from stoker_api.scalars import ObjectName
from stoker_api.spec import Spec
from stoker_api.wire import (
    ANNOTATION_PAUSED,
    ANNOTATION_RESTART,
    ANNOTATION_TREAT_AS_HOT,
    DOMAIN,
)

API_VERSION = f"{DOMAIN}/v1alpha1"
KIND = "LLMDeployment"
_NAME_PATTERN = "^[a-z]([-a-z0-9]{0,61}[a-z0-9])?$"


class Metadata(Part):
    """What Kubernetes keeps of every object; Stoker reads the first six."""

    name: str
    namespace: ObjectName | None = None
    uid: str | None = None
    generation: int | None = None
    labels: dict[str, str] | None = None
    annotations: dict[str, str] | None = None

    creation_timestamp: Any = None
    deletion_grace_period_seconds: Any = None
    deletion_timestamp: Any = None
    finalizers: Any = None
    generate_name: Any = None
    managed_fields: Any = None
    owner_references: Any = None
    resource_version: Any = None
    self_link: Any = None


class LLMDeployment(Part):
    """A model that is kept hot.

    Its pods take traffic if and only if the model is hot: the right weights, resident where the
    spec says, answering within the promised time, verified now and not at start-up.
    """

    api_version: Literal["stoker.dev/v1alpha1"]
    kind: Literal["LLMDeployment"]
    metadata: Metadata
    spec: Spec
    status: Any = None

    rules = (
        Rule(
            f"self.metadata.name.matches('{_NAME_PATTERN}')",
            "metadata.name must be at most 63 lower-case letters, digits and `-`, starting with a"
            " letter and not ending with `-`: a Service bears it, and labels do",
            lambda resource: matches(_NAME_PATTERN, resource.metadata.name),
            field="metadata",
        ),
    )

    @property
    def is_treated_as_hot(self) -> bool:
        """Whether the break-glass annotation holds the gates open."""
        return self._annotation(ANNOTATION_TREAT_AS_HOT) == "true"

    @property
    def is_paused(self) -> bool:
        """Whether a person has asked the operator to keep its hands off."""
        return self._annotation(ANNOTATION_PAUSED) == "true"

    @property
    def restart(self) -> str | None:
        """The word of the last restart that was asked for."""
        return self._annotation(ANNOTATION_RESTART)

    def _annotation(self, name: str) -> str | None:
        return (self.metadata.annotations or {}).get(name)

    def in_namespace(self, default: str) -> "LLMDeployment":
        """The same, in the namespace `default` if it names none itself."""
        if self.metadata.namespace:
            return self
        metadata = self.metadata.model_copy(update={"namespace": default})
        return self.model_copy(update={"metadata": metadata})
