"""For each alert, what has to happen for it to fire, and what looks alike and is fine.

Values are in promtool's words: `1x30` is the value 1 for 30 minutes, `0+5x30` a counter that counts
5 in each of them, `_` a minute without a sample.
"""

from collections.abc import Mapping
from dataclasses import dataclass

Labels = Mapping[str, str]
Series = Mapping[str, str]

OF_ONE = {"namespace": "llms", "name": "phi3"}
OF_A_MODEL = {"namespace": "llms", "stoker_dev_llmdeployment": "phi3"}
OF_A_POD = OF_A_MODEL | {"pod": "phi3-1"}


def series(labels: Labels) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


POD, ONE = series(OF_A_POD), series(OF_ONE)

WANTED = f"stoker_llmdeployment_wanted_replicas{{{ONE}}}"
HOT = f"stoker_llmdeployment_hot_replicas{{{ONE}}}"
LOSSES = f"stoker_heat_lost_seconds_count{{{POD}}}"
PULLED = f'stoker_pull_bytes{{{POD},kind="done"}}'
IN_STEP = f"stoker_gate_in_step{{{POD}}}"
SETTINGS = f"stoker_config_errors_total{{{POD}}}"
UP = f"up{{{POD}}}"
OFFLOAD = f"stoker_model_offload_ratio{{{POD}}}"
OFFLOAD_WANTED = f"stoker_model_offload_wanted_ratio{{{POD}}}"
VRAM = f'stoker_model_bytes{{{POD},where="vram"}}'
BUDGET = f"stoker_vram_budget_bytes{{{POD}}}"
BUSY = f'stoker_gpu_utilisation_ratio{{{POD},gpu="GPU-0"}}'
LEADER = 'stoker_operator_leader{pod="operator-1"}'
OTHER_LEADER = 'stoker_operator_leader{pod="operator-2"}'
RETRYING = 'stoker_queue_retrying{pod="operator-1"}'
TARGET = f"stoker_first_token_target_seconds{{{POD}}}"


def state(state: str, reason: str) -> str:
    return f'stoker_heat_state{{{POD},state="{state}",reason="{reason}"}}'


def route(api: str) -> str:
    return f'stoker_route_ok{{{POD},api="{api}"}}'


def first_tokens(bound: str) -> str:
    return f'stoker_first_token_seconds_bucket{{{POD},le="{bound}"}}'


@dataclass(frozen=True)
class Story:
    """What an alert is for."""

    fires: Series
    about: Labels
    """The labels by which it is told whom it is about."""
    sentence: str
    """What it says then."""
    at: str
    """When all of this is looked at."""
    fine: Mapping[str, Series]
    """What looks alike and needs nobody."""


STORIES = {
    "StokerNoneHot": Story(
        {WANTED: "2x60", HOT: "2x10 0x50"},
        OF_ONE,
        "llms/phi3 has no hot pod: its clients get no answer",
        "15m",
        {
            "one is left": {WANTED: "2x60", HOT: "2x10 1x50"},
            "it is new and on its way to heat": {WANTED: "2x60", HOT: "0x60"},
            "it is suspended": {WANTED: "2x10 0x50", HOT: "2x10 0x50"},
            "it was for a minute": {WANTED: "2x60", HOT: "2x13 0 2x50"},
        },
    ),
    "StokerFewerHot": Story(
        {WANTED: "3x60", HOT: "1x60"},
        OF_ONE,
        "llms/phi3 has fewer hot pods than it should have: 2 are missing",
        "40m",
        {
            "all are": {WANTED: "3x60", HOT: "3x60"},
            "a roll-out replaces one after the other": {WANTED: "3x60", HOT: "3x20 2x9 3x30"},
        },
    ),
    "StokerFirstTokenSlow": Story(
        {first_tokens("0.5"): "0x60", first_tokens("1"): "0+6x60", first_tokens("+Inf"): "0+6x60"}
        | {TARGET: "0.5x60"},
        OF_A_MODEL,
        "llms/phi3 takes 975ms to its first token (p95), longer than warmup.targetFirstToken",
        "30m",
        {
            "it is as quick as it should be": {
                first_tokens("0.5"): "0+6x60",
                first_tokens("+Inf"): "0+6x60",
                TARGET: "0.5x60",
            },
            "nobody said how quick it should be": {
                first_tokens("1"): "0+6x60",
                first_tokens("+Inf"): "0+6x60",
            },
        },
    ),
    "StokerBlocked": Story(
        {state("Blocked", "DigestMismatch"): "1x60"},
        OF_A_POD | {"state": "Blocked", "reason": "DigestMismatch"},
        "Pod llms/phi3-1 needs a person: Blocked/DigestMismatch",
        "10m",
        {
            "it is hot": {state("Hot", "Hot"): "1x60"},
            "it got loose by itself": {
                state("Stuck", "Deadlocked"): "1 1 stale",
                state("Hot", "Hot"): "_x2 1x60",
            },
        },
    ),
    "StokerHeatFlaps": Story(
        {LOSSES: "0x10 1 2 3 4 5x60"},
        OF_A_POD,
        "Pod llms/phi3-1 has lost its heat 5 times in an hour",
        "1h5m",
        {"it did so now and then": {LOSSES: "0x20 1x20 2x40"}},
    ),
    "StokerPullStalled": Story(
        {PULLED: "0+100x10 1000x60"},
        OF_A_POD | {"kind": "done"},
        "Pod llms/phi3-1 has pulled nothing for 15 minutes",
        "40m",
        {
            "it is slow": {PULLED: "0+1x60"},
            "it has just begun": {PULLED: "_x35 0x60"},
            "it is done": {PULLED: "0+100x10 1000 stale"},
        },
    ),
    "StokerRouteBroken": Story(
        {route("openai"): "0x60", route("ollama"): "1x60"},
        OF_A_POD | {"api": "openai"},
        "Pod llms/phi3-1 is hot, and a client's way on the API openai does not lead to it",
        "10m",
        {"both lead to it": {route("openai"): "1x60", route("ollama"): "1x60"}},
    ),
    "StokerGateNotTaken": Story(
        {IN_STEP: "0x60"},
        OF_A_POD,
        "Pod llms/phi3-1: the API server does not take the gate that its sidecar wants",
        "10m",
        {
            "it took a moment": {IN_STEP: "1x5 0 1x60"},
            "there is no gate outside Kubernetes": {"stoker_hot": "1x60"},
        },
    ),
    "StokerSettingsRefused": Story(
        {SETTINGS: "0x80 1x60"},
        OF_A_POD,
        "Pod llms/phi3-1 could not use its newest heat.json; the last good one is in force",
        "90m",
        {
            "all could be used": {SETTINGS: "0x120"},
            "it was long ago": {SETTINGS: "0x10 1x200"},
        },
    ),
    "StokerTreatedAsHot": Story(
        {state("Cold", "TreatedAsHot"): "1x100"},
        OF_A_POD | {"state": "Cold", "reason": "TreatedAsHot"},
        "Pod llms/phi3-1 has a gate that a person holds open: its model is Cold",
        "70m",
        {"it is hot by itself": {state("Hot", "Hot"): "1x100"}},
    ),
    "StokerSidecarSilent": Story(
        {UP: "0x60"},
        OF_A_POD,
        "Pod llms/phi3-1: Prometheus gets no answer from its sidecar",
        "15m",
        {
            "it answers": {UP: "1x60"},
            "somebody else's pod is silent": {'up{namespace="web",pod="web-1"}': "0x60"},
        },
    ),
    "StokerPartlyOnCpu": Story(
        {OFFLOAD: "0.857x60", OFFLOAD_WANTED: "1x60"},
        OF_A_POD,
        "Pod llms/phi3-1 has 85.7% of its model on the GPU, and the rest on the CPU",
        "15m",
        {
            "all of it is there": {OFFLOAD: "1x60", OFFLOAD_WANTED: "1x60"},
            "so much is enough": {OFFLOAD: "0.857x60", OFFLOAD_WANTED: "0.8x60"},
            "no GPU is wanted": {VRAM: "0x60"},
        },
    ),
    "StokerOverBudget": Story(
        {VRAM: "12884901888x60", BUDGET: "8589934592x60"},
        OF_A_POD,
        "Pod llms/phi3-1 takes 12GiB of GPU memory, more than gpu.memoryBudget",
        "15m",
        {
            "it is within": {VRAM: "4294967296x60", BUDGET: "8589934592x60"},
            "there is no budget": {VRAM: "12884901888x60"},
        },
    ),
    "StokerIdleGpu": Story(
        {BUSY: "0x480"},
        OF_A_POD | {"gpu": "GPU-0"},
        "Pod llms/phi3-1 holds a GPU that computed for 0% of an hour, and has for hours",
        "7h30m",
        {
            "it computed in the last hour": {BUSY: "0x400 0.9x40 0x40"},
            "it is new": {BUSY: "_x400 0x80"},
        },
    ),
    "StokerOperatorDown": Story(
        {LEADER: "1x10 stale"},
        {},
        "Prometheus sees no operator: models stay hot, and no change is carried out",
        "30m",
        {
            "it is there": {LEADER: "1x60"},
            "another pod took over": {LEADER: "1x10 stale", OTHER_LEADER: "_x12 1x60"},
        },
    ),
    "StokerNoLeader": Story(
        {LEADER: "0x60", OTHER_LEADER: "0x60"},
        {},
        "No replica of the operator leads: models stay hot, and no change is carried out",
        "10m",
        {"one waits, as it should": {LEADER: "1x60", OTHER_LEADER: "0x60"}},
    ),
    "StokerPassesFail": Story(
        {RETRYING: "2x60"},
        {},
        "The operator cannot carry out 2 LLMDeployments",
        "20m",
        {
            "none fails": {RETRYING: "0x60"},
            "one did so at first": {RETRYING: "1x4 0x60"},
        },
    ),
}
