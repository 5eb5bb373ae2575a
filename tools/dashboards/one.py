"""What is asked about one model: its own series, and those of its pods."""

from tools.dashboards.grafana import Query
from tools.dashboards.promql import LLMDEPLOYMENT, happened, total

# Of the operator's series, and of the sidecars'.
ONE = '{namespace="$namespace", name="$llmdeployment"}'
IN_PODS = f'namespace="$namespace", {LLMDEPLOYMENT}="$llmdeployment", pod=~"$pod"'
PODS = f"{{{IN_PODS}}}"

POD = "{{pod}}"


def counted(series: str, by: str) -> Query:
    """What happened in each step of time."""
    legend = " ".join(f"{{{{{label}}}}}" for label in by.split(", "))
    return Query(total(happened(f"{series}{PODS}", "$__interval"), by), legend)
