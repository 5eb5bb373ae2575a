"""What happened to one model, and how it is seen from outside."""

from tools.dashboards.grafana import Kind, Look, Panel, Query, Row
from tools.dashboards.looks import EVENTS, NARROW, NONE_IS_BETTER, YES_IS_GOOD
from tools.dashboards.one import IN_PODS, POD, PODS, counted
from tools.dashboards.promql import happened, total

HAPPENED = Row(
    "Events",
    (
        Panel(
            "Canaries",
            "Small requests that prove life in quiet times, by how they ended.",
            Kind.LINES,
            (counted("stoker_canary_total", "result"),),
            EVENTS,
        ),
        Panel(
            "Recoveries",
            "Attempts to bring a stuck model back, by how far they went.",
            Kind.LINES,
            (counted("stoker_recoveries_total", "step, result"),),
            EVENTS,
        ),
        Panel(
            "Keep-alive",
            "How long Ollama will keep the model; nothing where that is without end.",
            Kind.LINES,
            (
                Query(f"min by (pod) (stoker_model_expires_in_seconds{PODS})", POD),
                Query(
                    total(happened(f"stoker_keepalive_rearmed_total{PODS}", "$__interval"), "pod"),
                    f"{POD} renewals",
                ),
            ),
            Look(unit="s", least=0),
        ),
        Panel(
            "Gate in step",
            "Whether the API server has the gate that each sidecar wants.",
            Kind.STAT,
            (Query(f"min(stoker_gate_in_step{PODS})"),),
            YES_IS_GOOD,
            size=NARROW,
        ),
        Panel(
            "Reached by clients",
            "Whether a client's way leads to this very model, on each API.",
            Kind.STAT,
            (Query(f"min by (api) (stoker_route_ok{PODS})", "{{api}}"),),
            YES_IS_GOOD,
            size=NARROW,
        ),
        Panel(
            "Gate writes that failed",
            "Writes of the pod condition in the time shown, refused or without an answer.",
            Kind.STAT,
            (
                Query(
                    total(
                        happened(
                            f'stoker_gate_writes_total{{{IN_PODS}, result=~"refused|failed"}}',
                            "$__range",
                        )
                    )
                ),
            ),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "Bad settings",
            "Versions of heat.json in the time shown that could not be used.",
            Kind.STAT,
            (Query(total(happened(f"stoker_config_errors_total{PODS}", "$__range"))),),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "NVML errors",
            "Times that the GPU's driver did not tell, in the time shown (docs/gpu.md).",
            Kind.STAT,
            (Query(total(happened(f"stoker_nvml_errors_total{PODS}", "$__range"))),),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "Sidecars",
            "How many of which version.",
            Kind.STAT,
            (Query(f"count by (version) (stoker_build_info{PODS})", "{{version}}"),),
            size=NARROW,
        ),
    ),
)
