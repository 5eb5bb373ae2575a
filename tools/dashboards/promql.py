"""PromQL that more than one panel or alert is made of."""

LLMDEPLOYMENT = "stoker_dev_llmdeployment"
"""What Prometheus makes of the pods' label `stoker.dev/llmdeployment`."""

OF_ONE = f"namespace, {LLMDEPLOYMENT}"
"""The labels that tell one model from another, in the sidecars' series."""
OF_A_POD = f"{OF_ONE}, pod"


def total(expression: str, by: str = "") -> str:
    """The sum, for each value of these labels."""
    return f"sum by ({by}) ({expression})" if by else f"sum({expression})"


def happened(series: str, window: str) -> str:
    """How often something was counted in the time until now: whole numbers.

    `increase` extrapolates, and does not see the first event of a series that begins with it.
    """
    before = f"({series} offset {window} or {series} * 0)"
    return f"clamp_min({series} - {before}, 0)"


def quantile(share: float, buckets: str, by: str = "", window: str = "$__rate_interval") -> str:
    """The value that this share of all observations does not exceed."""
    labels = f"le, {by}" if by else "le"
    return f"histogram_quantile({share:g}, {total(f'rate({buckets}[{window}])', labels)})"


def mean(summary: str, labels: str, by: str, window: str) -> str:
    """What one of those that were counted took; nothing where none was."""
    return (
        f"{total(happened(f'{summary}_sum{labels}', window), by)}"
        f" / ({total(happened(f'{summary}_count{labels}', window), by)} > 0)"
    )


def or_zero(expression: str) -> str:
    """0 where there is nothing, so that nothing is seen to be nothing."""
    return f"{expression} or vector(0)"
