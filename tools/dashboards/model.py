"""The dashboard of one model: the heat of each pod, what a start takes, memory, speed, events."""

from tools.dashboards import states
from tools.dashboards.grafana import (
    SCRAPED,
    Dashboard,
    Kind,
    Look,
    Panel,
    Query,
    Row,
    Step,
    Variable,
)
from tools.dashboards.happened import HAPPENED
from tools.dashboards.looks import BYTES, EVENTS, LENGTHS, NARROW, NONE_IS_BETTER, SECONDS, SHARE
from tools.dashboards.one import IN_PODS, ONE, POD, PODS, counted
from tools.dashboards.promql import LLMDEPLOYMENT, happened, mean, quantile, total

BUCKETS = f"stoker_first_token_seconds_bucket{PODS}"

HEAT = Row(
    "Heat",
    (
        Panel(
            "Hot pods",
            "Pods that take traffic, of those that are wanted.",
            Kind.STAT,
            (
                Query(f"max(stoker_llmdeployment_hot_replicas{ONE})", "hot"),
                Query(f"max(stoker_llmdeployment_wanted_replicas{ONE})", "wanted"),
            ),
            size=NARROW,
        ),
        Panel(
            "Heat lost",
            "Times that a pod was no longer hot, in the time shown. A planned end is none.",
            Kind.STAT,
            (Query(total(happened(f"stoker_heat_lost_seconds_count{PODS}", "$__range"))),),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "Noticed after",
            "From the last proof of heat to the gate being shut, on average in the time shown.",
            Kind.STAT,
            (Query(mean("stoker_heat_lost_seconds", PODS, "", "$__range")),),
            SECONDS,
            size=NARROW,
        ),
        Panel(
            "States and reasons",
            "What each pod says of itself now (docs/reference/reasons.md).",
            Kind.TABLE,
            (Query(f"stoker_heat_state{PODS}", "now"),),
            Look(
                columns=("pod", "state", "reason"),
                hidden=(*SCRAPED, "namespace", LLMDEPLOYMENT, "Value"),
            ),
            size=(12, 4),
        ),
        Panel(
            "Heat of each pod",
            "Its state, all the time. In Hot and Suspect the gate is open.",
            Kind.STATES,
            (Query(states.timeline(IN_PODS, "pod"), POD),),
            Look(words=states.WORDS),
            size=(24, 6),
        ),
        Panel(
            "Heat lost, by reason",
            "Losses in each step of time.",
            Kind.LINES,
            (counted("stoker_heat_losses_total", "reason"),),
            EVENTS,
        ),
        Panel(
            "Cold start, by phase",
            "What the last start of each pod took.",
            Kind.BARS,
            (
                Query(
                    f"max by (pod, phase) (stoker_cold_start_seconds{PODS})",
                    f"{POD} {{{{phase}}}}",
                ),
            ),
            LENGTHS,
        ),
        Panel(
            "Pull",
            "The share of a pull under way that is done.",
            Kind.LINES,
            (
                Query(
                    f'sum by (pod) (stoker_pull_bytes{{{IN_PODS}, kind="done"}})'
                    f' / sum by (pod) (stoker_pull_bytes{{{IN_PODS}, kind="total"}})',
                    POD,
                ),
            ),
            SHARE,
        ),
    ),
)

SPEED = Row(
    "Speed",
    (
        Panel(
            "First token",
            "How long the sidecars' own requests waited for it, and how long they may"
            " (warmup.targetFirstToken).",
            Kind.LINES,
            (
                Query(quantile(0.5, BUCKETS), "p50"),
                Query(quantile(0.95, BUCKETS), "p95"),
                Query(f"max(stoker_first_token_target_seconds{PODS})", "target"),
            ),
            SECONDS,
        ),
        Panel(
            "Tokens a second",
            "How fast the last answer to the sidecar came.",
            Kind.LINES,
            (Query(f"max by (pod) (stoker_tokens_per_second{PODS})", POD),),
            Look(least=0),
        ),
        Panel(
            "Clients",
            "Connections to Ollama: open ones, and those that are being answered.",
            Kind.LINES,
            (Query(total(f"stoker_connections{PODS}", "state"), "{{state}}"),),
            Look(least=0),
        ),
    ),
)

GPU = Row(
    "GPU",
    (
        Panel(
            "Share on the GPU",
            "The worst pod's. What is missing runs on the CPU, and slows all of it down.",
            Kind.STAT,
            (Query(f"min(stoker_model_offload_ratio{PODS})"),),
            Look(unit="percentunit", steps=(Step(None, "bad"), Step(1, "good"))),
            size=(4, 8),
        ),
        Panel(
            "Memory of the model",
            "Where it is, as Ollama says, and how much of the GPU it may take (gpu.memoryBudget).",
            Kind.LINES,
            (
                Query(total(f"stoker_model_bytes{PODS}", "pod, where"), f"{POD} {{{{where}}}}"),
                Query(f"max by (pod) (stoker_vram_budget_bytes{PODS})", f"{POD} budget"),
            ),
            BYTES,
            size=(10, 8),
        ),
        Panel(
            "Memory of the GPU",
            "All that is used of it, by whomever, as NVML measures.",
            Kind.LINES,
            (
                Query(
                    f"max by (pod, gpu, kind) (stoker_gpu_memory_bytes{PODS})",
                    f"{POD} {{{{kind}}}}",
                ),
            ),
            BYTES,
            size=(10, 8),
        ),
        Panel(
            "GPU busy",
            "The share of time in which it computed.",
            Kind.LINES,
            (Query(f"max by (pod, gpu) (stoker_gpu_utilisation_ratio{PODS})", POD),),
            SHARE,
        ),
        Panel(
            "Power",
            "What the GPU draws.",
            Kind.LINES,
            (Query(f"max by (pod, gpu) (stoker_gpu_power_watts{PODS})", POD),),
            Look(unit="watt", least=0),
        ),
        Panel(
            "Temperature",
            "How warm the GPU is.",
            Kind.LINES,
            (Query(f"max by (pod, gpu) (stoker_gpu_temperature_celsius{PODS})", POD),),
            Look(unit="celsius"),
        ),
    ),
)

MODEL = Dashboard(
    uid="stoker-model",
    title="Stoker / One model",
    about="One LLMDeployment: the heat of its pods, what a start takes, memory, speed, events.",
    variables=(
        Variable(
            "namespace",
            "Namespace",
            "label_values(stoker_llmdeployment_info, namespace)",
            is_multiple=False,
        ),
        Variable(
            "llmdeployment",
            "Model",
            'label_values(stoker_llmdeployment_info{namespace="$namespace"}, name)',
            is_multiple=False,
        ),
        Variable(
            "pod",
            "Pod",
            "label_values(stoker_build_info"
            f'{{namespace="$namespace", {LLMDEPLOYMENT}="$llmdeployment"}}, pod)',
        ),
    ),
    rows=(HEAT, SPEED, GPU, HAPPENED),
    marks=(
        Query(
            total(happened(f"stoker_heat_losses_total{PODS}", "15s"), "pod, reason"), "heat lost"
        ),
    ),
)
