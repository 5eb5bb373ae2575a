"""The dashboard of all models: who is hot, who is not and why, and what lies idle."""

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
from tools.dashboards.looks import BYTES, LENGTHS, NARROW, NONE_IS_BETTER, NONE_IS_GOOD, SECONDS
from tools.dashboards.promql import (
    LLMDEPLOYMENT,
    OF_A_POD,
    OF_ONE,
    happened,
    or_zero,
    quantile,
    total,
)

# Of the operator's series, and of the sidecars'.
ONES = '{namespace=~"$namespace", name=~"$llmdeployment"}'
IN_PODS = f'namespace=~"$namespace", {LLMDEPLOYMENT}=~"$llmdeployment"'
PODS = f"{{{IN_PODS}}}"

WANTED = f"stoker_llmdeployment_wanted_replicas{ONES}"
HOT = f"stoker_llmdeployment_hot_replicas{ONES}"
NAME = "{{namespace}}/{{name}}"
MODEL = f"{{{{namespace}}}}/{{{{{LLMDEPLOYMENT}}}}}"
POD = "{{namespace}}/{{pod}}"


GLANCE = Row(
    "At a glance",
    (
        Panel(
            "Hot pods",
            "Pods that take traffic, of those that are wanted.",
            Kind.STAT,
            (Query(total(HOT), "hot"), Query(total(WANTED), "wanted")),
            size=NARROW,
        ),
        Panel(
            "Models without a hot pod",
            "Their clients get no answer. Suspended ones are not among them.",
            Kind.STAT,
            (Query(or_zero(f"count(({WANTED} > 0) unless ({HOT} > 0))")),),
            NONE_IS_GOOD,
            size=NARROW,
        ),
        Panel(
            "First token, p95",
            "How long the sidecars' own requests waited for it.",
            Kind.STAT,
            (Query(quantile(0.95, f"stoker_first_token_seconds_bucket{PODS}", window="$__range")),),
            SECONDS,
            size=NARROW,
        ),
        Panel(
            "Heat lost",
            "Times that a hot model was no longer hot, in the time shown.",
            Kind.STAT,
            (Query(total(happened(f"stoker_heat_lost_seconds_count{PODS}", "$__range"))),),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "Pods partly on the CPU",
            "Pods that have a GPU, and less of the model on it than wanted. Ollama says nothing.",
            Kind.STAT,
            (
                Query(
                    or_zero(
                        f"count(stoker_model_offload_ratio{PODS}"
                        f" < stoker_model_offload_wanted_ratio{PODS})"
                    )
                ),
            ),
            NONE_IS_GOOD,
            size=NARROW,
        ),
        Panel(
            "Idle GPUs",
            "GPUs that computed for less than 5 % of the last half hour.",
            Kind.STAT,
            (
                Query(
                    or_zero(f"count(avg_over_time(stoker_gpu_utilisation_ratio{PODS}[30m]) < 0.05)")
                ),
            ),
            NONE_IS_BETTER,
            size=NARROW,
        ),
    ),
)

HEAT = Row(
    "Heat",
    (
        Panel(
            "Who is not hot, and why",
            "Each pod that is not, with its state and reason (docs/reference/reasons.md).",
            Kind.TABLE,
            (Query(f'stoker_heat_state{{{IN_PODS}, state!="Hot"}}', "not hot"),),
            Look(
                columns=("namespace", LLMDEPLOYMENT, "pod", "state", "reason"),
                hidden=(*SCRAPED, "Value"),
            ),
            size=(12, 6),
        ),
        Panel(
            "Models",
            "Pods that each should have, and those that take traffic.",
            Kind.TABLE,
            (
                Query(f"max by (namespace, name) ({HOT})", "hot"),
                Query(f"max by (namespace, name) ({WANTED})", "wanted"),
                Query(
                    f"max by (namespace, name, model, phase) (stoker_llmdeployment_info{ONES})",
                    "info",
                ),
            ),
            Look(
                columns=("namespace", "name", "model", "phase", "Value #A", "Value #B"),
                hidden=("Value #C",),
            ),
            size=(12, 6),
        ),
        Panel(
            "Hot pods of each model",
            "Those that take traffic. A gap below the highest line is a time with fewer.",
            Kind.LINES,
            (Query(f"max by (namespace, name) ({HOT})", NAME),),
            Look(least=0),
        ),
        Panel(
            "Pods by state",
            "How many are in each state of the sidecar's (docs/sidecar.md).",
            Kind.LINES,
            (Query(total(f"stoker_heat_state{PODS}", "state"), "{{state}}"),),
            Look(least=0, is_stacked=True, colours=states.COLOURS),
        ),
        Panel(
            "Heat lost, by reason",
            "Losses in each step of time. A planned end is none.",
            Kind.LINES,
            (
                Query(
                    total(happened(f"stoker_heat_losses_total{PODS}", "$__interval"), "reason"),
                    "{{reason}}",
                ),
            ),
            Look(least=0, is_stacked=True),
        ),
    ),
)

SPEED = Row(
    "Speed",
    (
        Panel(
            "First token, p95",
            "How long the sidecars' own requests waited for it, by model.",
            Kind.LINES,
            (Query(quantile(0.95, f"stoker_first_token_seconds_bucket{PODS}", OF_ONE), MODEL),),
            SECONDS,
        ),
        Panel(
            "Last cold start, by phase",
            "The slowest pod of each model.",
            Kind.BARS,
            (
                Query(
                    f"max by ({OF_ONE}, phase) (stoker_cold_start_seconds{PODS})",
                    f"{MODEL} {{{{phase}}}}",
                ),
            ),
            LENGTHS,
        ),
        Panel(
            "Requests being answered",
            "Clients that wait for an answer of each model now.",
            Kind.LINES,
            (Query(total(f'stoker_connections{{{IN_PODS}, state="busy"}}', OF_ONE), MODEL),),
            Look(least=0),
        ),
    ),
)

GPUS = Row(
    "GPUs",
    (
        Panel(
            "GPU memory against budget",
            "What each pod's model takes, and what it may take (gpu.memoryBudget).",
            Kind.LINES,
            (
                Query(
                    total(f'stoker_model_bytes{{{IN_PODS}, where="vram"}}', OF_A_POD),
                    f"{POD} model",
                ),
                Query(total(f"stoker_vram_budget_bytes{PODS}", OF_A_POD), f"{POD} budget"),
            ),
            BYTES,
        ),
        Panel(
            "Share of the model on the GPU",
            "Of each pod that has one. What is missing runs on the CPU, and slows all of it down.",
            Kind.BARS,
            (Query(f"min by ({OF_A_POD}) (stoker_model_offload_ratio{PODS})", POD),),
            Look(
                unit="percentunit",
                least=0,
                most=1,
                steps=(Step(None, "bad"), Step(0.9, "warn"), Step(1, "good")),
            ),
        ),
        Panel(
            "How busy each GPU was",
            "The share of the last half hour in which it computed.",
            Kind.BARS,
            (
                Query(
                    f"avg by ({OF_A_POD}, gpu)"
                    f" (avg_over_time(stoker_gpu_utilisation_ratio{PODS}[30m]))",
                    f"{POD} {{{{gpu}}}}",
                ),
            ),
            Look(
                unit="percentunit", least=0, most=1, steps=(Step(None, "warn"), Step(0.05, "good"))
            ),
        ),
    ),
)

OPERATOR = Row(
    "Operator",
    (
        Panel(
            "Replicas that lead",
            "One does the work. Without it nothing changes, and models stay hot.",
            Kind.STAT,
            (Query(total("stoker_operator_leader")),),
            Look(steps=(Step(None, "bad"), Step(1, "good"), Step(2, "bad"))),
            size=NARROW,
        ),
        Panel(
            "Failed passes",
            "LLMDeployments whose last pass failed. They are tried again, at most 5 minutes later.",
            Kind.STAT,
            (Query(total("stoker_queue_retrying")),),
            NONE_IS_BETTER,
            size=NARROW,
        ),
        Panel(
            "Passes",
            "How long they take, p95, and how long the one waits that waits longest.",
            Kind.LINES,
            (
                Query(quantile(0.95, "stoker_reconcile_seconds_bucket"), "a pass, p95"),
                Query("max(stoker_queue_longest_wait_seconds)", "longest wait"),
            ),
            SECONDS,
        ),
        Panel(
            "Writes",
            "To the API server, a second. In a steady state there are none.",
            Kind.LINES,
            (
                Query(
                    total("rate(stoker_apply_total[$__rate_interval])", "kind, result"),
                    "{{kind}} {{result}}",
                ),
            ),
            Look(unit="wps", least=0, is_stacked=True),
        ),
    ),
)

FLEET = Dashboard(
    uid="stoker-fleet",
    title="Stoker / Fleet",
    about="All models: who is hot, who is not and why, and which GPUs lie idle.",
    variables=(
        Variable("namespace", "Namespace", "label_values(stoker_llmdeployment_info, namespace)"),
        Variable(
            "llmdeployment",
            "Model",
            'label_values(stoker_llmdeployment_info{namespace=~"$namespace"}, name)',
        ),
    ),
    rows=(GLANCE, HEAT, SPEED, GPUS, OPERATOR),
)
