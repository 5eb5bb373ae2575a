"""Where pods run, and what users may add to them.

The list is typed and short on purpose: nothing in it can change what a pod is, whom it runs as or
what it may do, so that the right to write an LLMDeployment is not the right to more.
"""

from typing import Annotated, Literal

from pydantic import Field

from stoker_api.part import Part, Unique
from stoker_api.rules import Rule, matches
from stoker_api.scalars import Key, LabelValue, ObjectName
from stoker_api.spec.maps import Annotations, Labels, NodeLabels

_Text = Annotated[str, Field(max_length=253)]
_Weight = Annotated[int, Field(ge=1, le=100)]


class Toleration(Part):
    """A taint that the pods put up with."""

    key: Key | None = None
    """The taint's key. Unset, with `operator: Exists`: every taint."""

    operator: Literal["Exists", "Equal"] = "Equal"
    """`Equal` compares the value too; `Exists` is content with the key."""

    value: LabelValue | None = None
    """The taint's value, for `Equal`."""

    effect: Literal["NoSchedule", "PreferNoSchedule", "NoExecute"] | None = None
    """The taint's effect. Unset: every effect."""

    toleration_seconds: Annotated[int, Field(ge=0, le=2**31 - 1)] | None = None
    """How long a `NoExecute` taint is put up with. Unset: for ever."""

    rules = (
        Rule(
            "has(self.key) || self.operator == 'Exists'",
            "without a key a toleration is for every taint: set operator: Exists, or name the key",
            lambda toleration: toleration.key or toleration.operator == "Exists",
            field="key",
        ),
        Rule(
            "!has(self.value) || self.operator == 'Equal'",
            "operator: Exists takes no value: leave value out, or set operator: Equal",
            lambda toleration: toleration.value is None or toleration.operator == "Equal",
            field="value",
        ),
        Rule(
            "!has(self.tolerationSeconds) || (has(self.effect) && self.effect == 'NoExecute')",
            "tolerationSeconds goes with effect: NoExecute only",
            lambda toleration: (
                toleration.toleration_seconds is None or toleration.effect == "NoExecute"
            ),
            field="tolerationSeconds",
        ),
    )


class LabelRequirement(Part):
    """One condition on a label of pods or namespaces."""

    key: Key
    """The label's key."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist"]
    """How the label is compared."""

    values: Annotated[list[LabelValue], Field(max_length=16)] = []
    """The values for `In` and `NotIn`."""

    rules = (
        Rule(
            "(self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist take none",
            lambda term: (term.operator in ("In", "NotIn")) == bool(term.values),
            field="values",
        ),
    )


class LabelSelector(Part):
    """Pods or namespaces, by their labels."""

    match_labels: NodeLabels = {}
    """Labels that must have just these values."""

    match_expressions: Annotated[list[LabelRequirement], Field(max_length=8)] = []
    """More conditions, all of which must hold."""


class NodeRequirement(Part):
    """One condition on a node's label."""

    key: Key
    """The label's key."""

    operator: Literal["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"]
    """How it is compared."""

    values: Annotated[list[_Text], Field(max_length=16)] = []
    """The values for `In` and `NotIn`; one whole number for `Gt` and `Lt`."""

    rules = (
        Rule(
            "self.operator in ['Gt', 'Lt'] ? has(self.values) && size(self.values) == 1"
            " && self.values[0].matches('^-?[0-9]{1,18}$')"
            " : (self.operator in ['In', 'NotIn']) == (has(self.values) && size(self.values) > 0)",
            "In and NotIn need values; Exists and DoesNotExist take none; Gt and Lt take one whole"
            " number",
            lambda term: _has_fitting_values(term.operator, term.values),
            field="values",
        ),
    )


def _has_fitting_values(operator: str, values: list[str]) -> bool:
    if operator in ("Gt", "Lt"):
        return len(values) == 1 and matches("^-?[0-9]{1,18}$", values[0])
    return (operator in ("In", "NotIn")) == bool(values)


class NodeFieldRequirement(Part):
    """One condition on a node itself. Kubernetes knows just its name."""

    key: Literal["metadata.name"]
    """The field's name."""

    operator: Literal["In", "NotIn"]
    """Whether it is that node, or any other."""

    values: Annotated[list[_Text], Field(max_length=16)]
    """The node's name."""

    rules = (
        Rule(
            "size(self.values) == 1",
            "a node has one name: give one value, and for several nodes use matchExpressions with"
            " the label kubernetes.io/hostname",
            lambda term: len(term.values) == 1,
            field="values",
        ),
    )


class NodeTerm(Part):
    """Conditions on a node, all of which must hold."""

    match_expressions: Annotated[list[NodeRequirement], Field(max_length=8)] = []
    """Conditions on labels."""

    match_fields: Annotated[list[NodeFieldRequirement], Field(max_length=8)] = []
    """Conditions on the node itself."""


class NodeSelector(Part):
    """Nodes, by alternatives."""

    node_selector_terms: Annotated[list[NodeTerm], Field(min_length=1, max_length=8)]
    """Alternatives, one of which must fit."""


class PreferredNode(Part):
    """A wish for a kind of node."""

    weight: _Weight
    """How much the wish counts (1 to 100)."""

    preference: NodeTerm
    """The kind of node."""


class NodeAffinity(Part):
    """On which nodes the pods run."""

    required_during_scheduling_ignored_during_execution: NodeSelector | None = None
    """The nodes that will do at all."""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredNode], Field(max_length=8)
    ] = []
    """The nodes that would be better."""


class PodTerm(Part):
    """Pods to be near to, or away from."""

    label_selector: LabelSelector | None = None
    """The pods. Unset: none."""

    topology_key: Key
    """The node label that says what is near, such as `kubernetes.io/hostname`."""

    namespaces: Annotated[list[ObjectName], Field(max_length=16)] = []
    """The pods' namespaces. Unset, and without `namespaceSelector`: this one."""

    namespace_selector: LabelSelector | None = None
    """The pods' namespaces, by their labels."""


class PreferredPods(Part):
    """A wish for company, or for distance."""

    weight: _Weight
    """How much the wish counts (1 to 100)."""

    pod_affinity_term: PodTerm
    """The company."""


class PodAffinity(Part):
    """Which pods to be near to, or away from."""

    required_during_scheduling_ignored_during_execution: Annotated[
        list[PodTerm], Field(max_length=8)
    ] = []
    """What must be so."""

    preferred_during_scheduling_ignored_during_execution: Annotated[
        list[PreferredPods], Field(max_length=8)
    ] = []
    """What would be better."""


class Affinity(Part):
    """Nodes and company, as Kubernetes' own pods know them."""

    node_affinity: NodeAffinity | None = None
    """On which nodes the pods run."""

    pod_affinity: PodAffinity | None = None
    """Which pods to be near to."""

    pod_anti_affinity: PodAffinity | None = None
    """Which pods to be away from."""


class SpreadConstraint(Part):
    """How evenly this LLMDeployment's pods spread. It always counts just these pods."""

    max_skew: Annotated[int, Field(ge=1, le=1000)]
    """By how many pods two places may differ."""

    topology_key: Key
    """The node label that says what a place is, such as `topology.kubernetes.io/zone`."""

    when_unsatisfiable: Literal["DoNotSchedule", "ScheduleAnyway"]
    """Whether the spread is a condition or a wish."""

    min_domains: Annotated[int, Field(ge=1, le=1000)] | None = None
    """How many places there must be, for `DoNotSchedule`."""

    rules = (
        Rule(
            "!has(self.minDomains) || self.whenUnsatisfiable == 'DoNotSchedule'",
            "minDomains goes with whenUnsatisfiable: DoNotSchedule only",
            lambda spread: (
                spread.min_domains is None or spread.when_unsatisfiable == "DoNotSchedule"
            ),
            field="minDomains",
        ),
    )


class SecretReference(Part):
    """A Secret of the same namespace."""

    name: ObjectName
    """The Secret's name."""


class PodTemplate(Part):
    """What users may add to the pods."""

    labels: Labels = {}
    """More labels."""

    annotations: Annotations = {}
    """More annotations."""

    node_selector: NodeLabels = {}
    """Labels that a node must have."""

    tolerations: Annotated[list[Toleration], Field(max_length=32)] = []
    """Taints that the pods put up with, besides the one that is named like the GPU's resource."""

    affinity: Affinity | None = None
    """Nodes and company that the pods want or avoid."""

    topology_spread_constraints: Annotated[list[SpreadConstraint], Field(max_length=8)] = []
    """How evenly the pods spread over nodes and zones."""

    priority_class_name: ObjectName | None = None
    """The PriorityClass of the pods."""

    image_pull_secrets: Annotated[list[SecretReference], Field(max_length=8), Unique("name")] = []
    """Secrets for private image registries."""
