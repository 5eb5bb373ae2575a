"""What Prometheus computes by itself, and what it wakes a person for.

Each alert is one that somebody can do something about, and has a page that says what:
docs/runbooks. None fires because a pod starts, or goes as planned.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from tools.dashboards.promql import LLMDEPLOYMENT, OF_ONE, happened, quantile

Json = dict[str, Any]

RUNBOOKS = "docs/runbooks"
"""Where the pages are; the chart puts another place before them."""


@dataclass(frozen=True)
class Recording:
    """A series that is computed all the time, because alerts and people ask for it over days."""

    name: str
    expression: str

    def document(self) -> Json:
        return {"record": self.name, "expr": self.expression}


@dataclass(frozen=True)
class Alert:
    """What is wrong, for how long it may be, and how it is told."""

    name: str
    expression: str
    lasting: str
    severity: str
    sentence: str

    def document(self) -> Json:
        return {
            "alert": self.name,
            "expr": self.expression,
            "for": self.lasting,
            "labels": {"severity": self.severity},
            "annotations": {
                "summary": self.sentence,
                "runbook_url": f"{RUNBOOKS}/{self.name}.md",
            },
        }


CRITICAL, WARNING, INFO = "critical", "warning", "info"

# How sentences name what they are about.
ONE = "{{ $labels.namespace }}/{{ $labels.name }}"
MODEL = f"{{{{ $labels.namespace }}}}/{{{{ $labels.{LLMDEPLOYMENT} }}}}"
POD = "Pod {{ $labels.namespace }}/{{ $labels.pod }}"
REASON = "{{ $labels.state }}/{{ $labels.reason }}"

AVAILABLE = "namespace_name:stoker_llmdeployment:available"
FIRST_TOKEN = "namespace_llmdeployment:stoker_first_token_seconds:p95_5m"  # noqa: S105 - of a model
BUSY = "gpu:stoker_gpu_utilisation_ratio:avg_1h"

WANTED, HOT = "stoker_llmdeployment_wanted_replicas", "stoker_llmdeployment_hot_replicas"
BY_ONE = "max by (namespace, name)"

RECORDINGS = (
    Recording(AVAILABLE, f"{BY_ONE} ({HOT} > bool 0) and {BY_ONE} ({WANTED}) > 0"),
    Recording(
        FIRST_TOKEN, quantile(0.95, "stoker_first_token_seconds_bucket", OF_ONE, window="5m")
    ),
    Recording(BUSY, "avg_over_time(stoker_gpu_utilisation_ratio[1h])"),
)

MODELS = (
    Alert(
        "StokerNoneHot",
        f"{AVAILABLE} == 0 and max_over_time({AVAILABLE}[1d]) > 0",
        "2m",
        CRITICAL,
        f"{ONE} has no hot pod: its clients get no answer",
    ),
    Alert(
        "StokerFewerHot",
        f"{BY_ONE} ({WANTED}) - {BY_ONE} ({HOT}) > 0",
        "30m",
        WARNING,
        f"{ONE} has fewer hot pods than it should have: {{{{ $value }}}} are missing",
    ),
    Alert(
        "StokerFirstTokenSlow",
        f"{FIRST_TOKEN} > on ({OF_ONE}) max by ({OF_ONE}) (stoker_first_token_target_seconds)",
        "10m",
        WARNING,
        f"{MODEL} takes {{{{ $value | humanizeDuration }}}} to its first token (p95),"
        " longer than warmup.targetFirstToken",
    ),
)

PODS = (
    Alert(
        "StokerBlocked",
        'stoker_heat_state{state=~"Blocked|Stuck"} == 1',
        "5m",
        WARNING,
        f"{POD} needs a person: {REASON}",
    ),
    Alert(
        "StokerHeatFlaps",
        f"{happened('stoker_heat_lost_seconds_count', '1h')} > 3",
        "0m",
        WARNING,
        f"{POD} has lost its heat {{{{ $value }}}} times in an hour",
    ),
    Alert(
        "StokerPullStalled",
        'changes(stoker_pull_bytes{kind="done"}[15m]) == 0'
        ' and stoker_pull_bytes{kind="done"} offset 15m',
        "0m",
        WARNING,
        f"{POD} has pulled nothing for 15 minutes",
    ),
    Alert(
        "StokerRouteBroken",
        "stoker_route_ok == 0",
        "5m",
        WARNING,
        f"{POD} is hot, and a client's way on the API {{{{ $labels.api }}}} does not lead to it",
    ),
    Alert(
        "StokerGateNotTaken",
        "stoker_gate_in_step == 0",
        "5m",
        WARNING,
        f"{POD}: the API server does not take the gate that its sidecar wants",
    ),
    Alert(
        "StokerSettingsRefused",
        f"{happened('stoker_config_errors_total', '1h')} > 0",
        "0m",
        WARNING,
        f"{POD} could not use its newest heat.json; the last good one is in force",
    ),
    Alert(
        "StokerTreatedAsHot",
        'stoker_heat_state{reason="TreatedAsHot"} == 1',
        "1h",
        WARNING,
        f"{POD} has a gate that a person holds open: its model is {{{{ $labels.state }}}}",
    ),
    Alert(
        "StokerSidecarSilent",
        f'up{{{LLMDEPLOYMENT}!=""}} == 0',
        "10m",
        WARNING,
        f"{POD}: Prometheus gets no answer from its sidecar",
    ),
)

GPUS = (
    Alert(
        "StokerPartlyOnCpu",
        "stoker_model_offload_ratio < stoker_model_offload_wanted_ratio",
        "10m",
        WARNING,
        f"{POD} has {{{{ $value | humanizePercentage }}}} of its model on the GPU,"
        " and the rest on the CPU",
    ),
    Alert(
        "StokerOverBudget",
        'sum without (where) (stoker_model_bytes{where="vram"}) > stoker_vram_budget_bytes',
        "10m",
        WARNING,
        f"{POD} takes {{{{ $value | humanize1024 }}}}B of GPU memory, more than gpu.memoryBudget",
    ),
    Alert(
        "StokerIdleGpu",
        f"{BUSY} < 0.05",
        "6h",
        INFO,
        f"{POD} holds a GPU that computed for {{{{ $value | humanizePercentage }}}} of an hour,"
        " and has for hours",
    ),
)

OPERATOR = (
    Alert(
        "StokerOperatorDown",
        "absent(stoker_operator_leader)",
        "10m",
        WARNING,
        "Prometheus sees no operator: models stay hot, and no change is carried out",
    ),
    Alert(
        "StokerNoLeader",
        "sum(stoker_operator_leader) == 0",
        "5m",
        WARNING,
        "No replica of the operator leads: models stay hot, and no change is carried out",
    ),
    Alert(
        "StokerPassesFail",
        "max(stoker_queue_retrying) > 0",
        "15m",
        WARNING,
        "The operator cannot carry out {{ $value }} LLMDeployments",
    ),
)

ALERTS = (*MODELS, *PODS, *GPUS, *OPERATOR)


def document() -> Json:
    """The rules as Prometheus reads them, and as the chart makes a PrometheusRule of them."""
    return {"groups": list(_groups())}


def _groups() -> Iterator[Json]:
    groups: dict[str, tuple[Recording | Alert, ...]] = {
        "stoker-recordings": RECORDINGS,
        "stoker-models": MODELS,
        "stoker-pods": PODS,
        "stoker-gpus": GPUS,
        "stoker-operator": OPERATOR,
    }
    for name, rules in groups.items():
        yield {"name": name, "rules": [rule.document() for rule in rules]}
