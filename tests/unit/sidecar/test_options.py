"""Settings from flags and environment: each one of the contract, and no other."""

import pytest

from stoker_api import wire
from stoker_sidecar.config import defaults
from stoker_sidecar.errors import UsageError
from stoker_sidecar.options import configured, options

BY_FLAG = {option.flag: option for option in options()}
DEFAULTS = defaults(uses_gpu=True)


def test_each_setting_has_a_flag_and_a_variable() -> None:
    assert {flag: option.variable for flag, option in BY_FLAG.items()} == {
        "--keep-alive-seconds": "STOKER_KEEP_ALIVE_SECONDS",
        "--warmup-prompts": "STOKER_WARMUP_PROMPTS",
        "--warmup-consecutive": "STOKER_WARMUP_CONSECUTIVE",
        "--warmup-target-first-token-seconds": "STOKER_WARMUP_TARGET_FIRST_TOKEN_SECONDS",
        "--warmup-deadline-seconds": "STOKER_WARMUP_DEADLINE_SECONDS",
        "--heartbeat-interval-seconds": "STOKER_HEARTBEAT_INTERVAL_SECONDS",
        "--heartbeat-canary-idle-after-seconds": "STOKER_HEARTBEAT_CANARY_IDLE_AFTER_SECONDS",
        "--heartbeat-canary-timeout-seconds": "STOKER_HEARTBEAT_CANARY_TIMEOUT_SECONDS",
        "--heartbeat-canary-failure-threshold": "STOKER_HEARTBEAT_CANARY_FAILURE_THRESHOLD",
        "--heartbeat-stall-seconds": "STOKER_HEARTBEAT_STALL_SECONDS",
        "--gate-shut-on": "STOKER_GATE_SHUT_ON",
        "--gate-treat-as-hot": "STOKER_GATE_TREAT_AS_HOT",
        "--gpu-memory-budget-bytes": "STOKER_GPU_MEMORY_BUDGET_BYTES",
        "--gpu-on-over-budget": "STOKER_GPU_ON_OVER_BUDGET",
        "--gpu-min-offload-ratio": "STOKER_GPU_MIN_OFFLOAD_RATIO",
        "--routing-service-url": "STOKER_ROUTING_SERVICE_URL",
        "--routing-apis": "STOKER_ROUTING_APIS",
    }


def given(**texts: list[str]) -> wire.HeatConfig:
    return configured(
        DEFAULTS, {BY_FLAG["--" + name.replace("_", "-")]: each for name, each in texts.items()}
    )


def test_what_is_given_lies_over_the_defaults() -> None:
    config = given(
        keep_alive_seconds=["300"],
        warmup_prompts=["Hi, you.", "Why?"],
        heartbeat_interval_seconds=["1", "0.25"],
        gate_shut_on=["Latency"],
        gate_treat_as_hot=["True"],
        gpu_memory_budget_bytes=["8000000000"],
        routing_service_url=["http://localhost:11434"],
    )
    assert config.keep_alive_seconds == 300
    assert config.warmup.prompts == ("Hi, you.", "Why?")
    assert config.heartbeat.interval_seconds == 0.25
    assert config.gate == wire.Gate((wire.SoftReason.LATENCY,), treat_as_hot=True)
    assert config.gpu
    assert config.gpu.memory_budget_bytes == 8_000_000_000
    assert config.routing.service_url == "http://localhost:11434"
    assert config.heartbeat.canary == DEFAULTS.heartbeat.canary


def test_nothing_given_changes_nothing() -> None:
    assert given() == DEFAULTS


@pytest.mark.parametrize(
    ("flag", "text", "sentence"),
    [
        ("keep_alive_seconds", "5m", "must be a whole number, not '5m'"),
        ("keep_alive_seconds", "0", "must be -1 (without end), or 10 or more"),
        ("heartbeat_interval_seconds", "nan", "must be from 0.1 to 60, not nan"),
        ("gate_treat_as_hot", "yes", "must be true or false, not 'yes'"),
        ("gate_shut_on", "Heat", "[0]: must be one of Latency, Offload, Budget, not 'Heat'"),
    ],
)
def test_nonsense_is_refused_with_its_flag(flag: str, text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        given(**{flag: [text]})
    assert str(caught.value).startswith("--" + flag.replace("_", "-"))
    assert str(caught.value).endswith(sentence)


def test_a_gpus_setting_needs_a_gpu() -> None:
    with pytest.raises(UsageError, match="--gpu-min-offload-ratio needs a GPU: say with --gpus"):
        configured(defaults(uses_gpu=False), {BY_FLAG["--gpu-min-offload-ratio"]: ["1"]})
