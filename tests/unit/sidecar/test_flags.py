"""The command line of `run`: what flags and environment mean, and what is wrong with bad ones."""

from pathlib import Path

import pytest

from stoker_api.wire import HEAT_DIRECTORY, HEAT_FILE, Arguments, HeatConfig, PullPolicy
from stoker_sidecar.cli import parser
from stoker_sidecar.errors import UsageError
from stoker_sidecar.flags import orders
from stoker_sidecar.orders import Orders

MODEL = ("--model", "phi3:mini")
POD = {"KUBERNETES_SERVICE_HOST": "10.0.0.1"}


def told(*flags: str, **environment: str) -> Orders:
    return orders(parser(environment).parse_args(["run", *flags]), environment)


def complaint(capsys: pytest.CaptureFixture[str], *flags: str, **environment: str) -> str:
    """The first line of what is said to a command line that is refused."""
    with pytest.raises(SystemExit) as ended:
        told(*flags, **environment)
    assert ended.value.code == 2
    return capsys.readouterr().err.splitlines()[0].removeprefix("stoker-sidecar run: ")


def test_a_model_is_all_that_has_to_be_told() -> None:
    meant = told(*MODEL)
    assert meant.pod == Arguments("phi3:mini")
    assert meant.ollama_url == "http://127.0.0.1:11434"
    assert meant.listen == "127.0.0.1:9464"
    assert isinstance(meant.heat, HeatConfig)
    assert meant.sees_processes


def test_the_arguments_that_a_pod_is_made_with_are_understood() -> None:
    arguments = Arguments(
        model="phi3:mini",
        digest="sha256:" + "a" * 64,
        context_length=8192,
        parallel=2,
        batch=256,
        threads=4,
        gpus=1,
        pull_policy=PullPolicy.NEVER,
        insecure_registry=True,
        drain_timeout_seconds=12.5,
    )
    meant = told(*arguments.to_flags(), **POD)
    assert meant.pod == arguments
    assert meant.listen == ":9464"
    assert meant.heat == Path(HEAT_DIRECTORY, HEAT_FILE)
    assert meant.gpu_devices is None


def test_the_environment_can_say_the_same() -> None:
    meant = told(
        STOKER_MODEL="phi3:mini",
        STOKER_CONTEXT_LENGTH="8192",
        STOKER_PULL_POLICY="Never",
        STOKER_NO_PROCESSES="true",
        STOKER_INSECURE_REGISTRY="0",
        STOKER_WARMUP_PROMPTS="Why?",
        STOKER_HEARTBEAT_INTERVAL_SECONDS="1",
    )
    assert meant.pod == Arguments("phi3:mini", context_length=8192, pull_policy=PullPolicy.NEVER)
    assert not meant.sees_processes
    assert isinstance(meant.heat, HeatConfig)
    assert meant.heat.warmup.prompts == ("Why?",)
    assert meant.heat.heartbeat.interval_seconds == 1


def test_a_flag_wins_over_the_environment() -> None:
    assert told(*MODEL, STOKER_MODEL="llama3").pod.model == "phi3:mini"


def test_an_empty_variable_says_nothing() -> None:
    assert told(*MODEL, STOKER_DIGEST="", STOKER_GPUS="").pod == Arguments("phi3:mini")


def test_the_address_of_ollama_can_be_written_as_in_its_own_variable() -> None:
    assert told(*MODEL, "--ollama", "127.0.0.1:11500").ollama_url == "http://127.0.0.1:11500"


REFUSED = {
    "no model": ([], "the following arguments are required: --model"),
    "an empty name": (
        ["--model", ""],
        "argument --model: '' names no model; write it as Ollama does, such as phi3:mini",
    ),
    "a model of the cloud": (
        ["--model", "gpt-oss:120b-cloud"],
        "argument --model: 'gpt-oss:120b-cloud' runs elsewhere: there is nothing to keep warm",
    ),
    "another protocol": (
        [*MODEL, "--ollama", "ftp://example"],
        "argument --ollama: 'ftp://example' is no address; write http://127.0.0.1:11434",
    ),
    "a password, which nobody would ask for": (
        [*MODEL, "--ollama", "http://me:secret@example"],
        "argument --ollama: 'http://me:secret@example' is no address; write http://127.0.0.1:11434",
    ),
    "a port that cannot be": (
        [*MODEL, "--ollama", "127.0.0.1:99999"],
        "argument --ollama: '127.0.0.1:99999' is no address; write http://127.0.0.1:11434",
    ),
    "half a digest": (
        [*MODEL, "--digest", "sha256:12"],
        "argument --digest: 'sha256:12' is no digest; write sha256: and 64 hex digits",
    ),
    "a policy in small letters": (
        [*MODEL, "--pull-policy", "never"],
        "argument --pull-policy: must be one of IfNotPresent, Always, Never, not 'never'",
    ),
    "a context of nothing": (
        [*MODEL, "--context-length", "0"],
        "argument --context-length: must be above 0",
    ),
    "a negative number": ([*MODEL, "--gpus", "-1"], "argument --gpus: '-1' is no number"),
    "a time in words": (
        [*MODEL, "--drain-timeout-seconds", "1m"],
        "argument --drain-timeout-seconds: '1m' is no number of seconds, from 0 to 86400",
    ),
    "another format": (
        [*MODEL, "--log-format", "xml"],
        "argument --log-format: must be one of auto, text, json, not 'xml'",
    ),
}


@pytest.mark.parametrize(("flags", "said"), REFUSED.values(), ids=REFUSED)
def test_a_bad_flag_is_refused(
    flags: list[str], said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert complaint(capsys, *flags) == said


def test_a_bad_variable_is_refused_by_its_name(capsys: pytest.CaptureFixture[str]) -> None:
    assert (
        complaint(capsys, *MODEL, STOKER_LOG_LEVEL="loud")
        == "argument --log-level: must be one of debug, info, warning, not 'loud'"
        " (in STOKER_LOG_LEVEL)"
    )


def test_a_bad_variable_is_nothing_to_other_commands() -> None:
    parser({"STOKER_LOG_LEVEL": "loud"}).parse_args(["version"])


MEANINGLESS: dict[str, tuple[list[str], dict[str, str], str]] = {
    "a truth that is none": (
        [],
        {"STOKER_NO_PROCESSES": "maybe"},
        "STOKER_NO_PROCESSES: must be true or false, not 'maybe'",
    ),
    "a heartbeat out of bounds": (
        ["--heartbeat-interval-seconds", "0.01"],
        {},
        "--heartbeat-interval-seconds: must be from 0.1 to 60, not 0.01",
    ),
    "a keep-alive as Ollama writes it": (
        ["--keep-alive-seconds", "5m"],
        {},
        "--keep-alive-seconds: must be a whole number, not '5m'",
    ),
    "a budget without a GPU": (
        ["--gpu-memory-budget-bytes", "8000000000"],
        {},
        "--gpu-memory-budget-bytes needs a GPU: say with --gpus how many there are",
    ),
    "a loss that nothing defines: slow": (
        ["--gate-shut-on", "Latency"],
        {},
        (
            "--gate-shut-on Latency needs a target to be slower than: say"
            " --warmup-target-first-token-seconds"
        ),
    ),
    "a loss that nothing defines: a share on the GPU": (
        ["--gpus", "1", "--gate-shut-on", "Offload"],
        {},
        "--gate-shut-on Offload needs a share to fall below: say --gpu-min-offload-ratio",
    ),
    "a loss that nothing defines: a budget": (
        ["--gate-shut-on", "Budget"],
        {},
        "--gate-shut-on Budget needs a budget to be over: say --gpu-memory-budget-bytes",
    ),
    "a block over no budget": (
        ["--gpus", "1", "--gpu-on-over-budget", "Block"],
        {},
        "--gpu-on-over-budget Block needs a budget: say --gpu-memory-budget-bytes",
    ),
    "an API without a way to it": (
        ["--routing-apis", "openai"],
        {},
        "--routing-apis needs a way to follow: say --routing-service-url",
    ),
    "a GPU's number without GPUs": (
        ["--gpu-device", "0"],
        {},
        "--gpu-device needs a GPU: say with --gpus how many there are",
    ),
    "a process that is not looked at": (
        ["--ollama-pid", "7", "--no-processes"],
        {},
        "--ollama-pid has no effect with --no-processes: leave it out",
    ),
    "silence that cannot be seen": (
        ["--heartbeat-stall-seconds", "60", "--ollama", "http://elsewhere:11434"],
        {},
        (
            "--heartbeat-stall-seconds has no effect with an Ollama on another machine, where"
            " silence cannot be seen"
        ),
    ),
    "a setting beside a file of settings": (
        ["--heat-file", "heat.json", "--warmup-consecutive", "3"],
        {},
        (
            "--warmup-consecutive and heat.json both say how the model is kept hot: leave the flag"
            " out, or change the file"
        ),
    ),
    "a setting beside a pod's own file": (
        ["--warmup-consecutive", "3"],
        POD,
        (
            "--warmup-consecutive and /etc/stoker/heat.json both say how the model is kept hot:"
            " leave the flag out, or change the file"
        ),
    ),
}


@pytest.mark.parametrize(("flags", "environment", "said"), MEANINGLESS.values(), ids=MEANINGLESS)
def test_what_makes_no_sense_is_refused(
    flags: list[str], environment: dict[str, str], said: str
) -> None:
    with pytest.raises(UsageError) as refused:
        told(*MODEL, *flags, **environment)
    assert str(refused.value) == said


def test_the_help_names_what_holds_without_a_flag(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        told("--help")
    said = " ".join(capsys.readouterr().out.split())
    assert "--heartbeat-interval-seconds N (0.5)" in said
    assert "--gate-shut-on Latency|Offload|Budget (none); may be given several times" in said
    assert "--context-length as STOKER_CONTEXT_LENGTH" in said
