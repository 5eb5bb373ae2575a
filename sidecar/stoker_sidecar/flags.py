"""The flags of `stoker-sidecar run`, and what they mean."""

import argparse
import re
from collections.abc import Callable, Iterable, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Any, get_args
from urllib.parse import urlsplit

from stoker_api import wire
from stoker_api.references import CLOUD_PATTERN, ModelReference
from stoker_sidecar.config import defaults
from stoker_sidecar.errors import UsageError
from stoker_sidecar.idle_flags import refuse_idle_flags
from stoker_sidecar.options import Option, configured, options
from stoker_sidecar.orders import Orders

_PREFIX = "STOKER_"
_TRUTHS = {"1": True, "true": True, "yes": True, "0": False, "false": False, "no": False}

Reader = Callable[[str], Any]


# --- how values are written ---------------------------------------------------------------------


def model(text: str) -> str:
    """A model that can be kept warm."""
    if ModelReference.parse(text) is None:
        raise argparse.ArgumentTypeError(
            f"{text!r} names no model; write it as Ollama does, such as phi3:mini"
        )
    if re.search(CLOUD_PATTERN, text):
        raise argparse.ArgumentTypeError(f"{text!r} runs elsewhere: there is nothing to keep warm")
    return text


def url(text: str) -> str:
    """Where Ollama is; `127.0.0.1:11434`, as in OLLAMA_HOST, will do."""
    full = text if "://" in text else f"http://{text}"
    try:
        parts = urlsplit(full)
        good = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
        good = good and parts.username is None  # Ollama asks nobody for a password
    except ValueError:
        good = False
    if not good:
        raise argparse.ArgumentTypeError(f"{text!r} is no address; write http://127.0.0.1:11434")
    return full


def digest(text: str) -> str:
    if not re.fullmatch("sha256:[0-9a-f]{64}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is no digest; write sha256: and 64 hex digits")
    return text


def one_of(words: Iterable[str]) -> Reader:
    """Reads one of these words."""
    known = tuple(words)

    def read(text: str) -> str:
        if text not in known:
            raise argparse.ArgumentTypeError(f"must be one of {', '.join(known)}, not {text!r}")
        return text

    return read


def whole(text: str) -> int:
    """A number above 0."""
    if number := count(text):
        return number
    raise argparse.ArgumentTypeError("must be above 0")


def count(text: str) -> int:
    """A number, 0 or more."""
    if not (text.isascii() and text.isdigit()):
        raise argparse.ArgumentTypeError(f"{text!r} is no number")
    return int(text)


def seconds(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 86400:  # noqa: PLR2004 - a day
        raise argparse.ArgumentTypeError(f"{text!r} is no number of seconds, from 0 to 86400")
    return value


# --- the flags ----------------------------------------------------------------------------------


def add_run_flags(run: argparse.ArgumentParser, environment: Mapping[str, str]) -> None:
    """All flags, with the environment's values for their defaults."""
    _add_model_flags(run.add_argument_group("the model"))
    _add_heat_flags(
        run.add_argument_group(
            "how it is kept hot",
            "Instead of --heat-file. What they mean: docs/sidecar.md. Stall: with a GPU only.",
        )
    )
    _add_place_flags(run.add_argument_group("where things are"))
    for action in run._actions:  # noqa: SLF001 - argparse has no other list of them
        variable = _PREFIX + action.dest.upper()
        if text := environment.get(variable):
            _take(action, variable, text)


def _take(action: argparse.Action, variable: str, text: str) -> None:
    """What the environment says in the place of a flag. It is judged if `run` is what is run."""
    action.required = False
    if action.nargs == 0:
        action.default = _TRUTHS.get(text.lower(), text)
    elif isinstance(action, argparse._AppendAction):  # noqa: SLF001
        action.default = [text]
    else:
        action.default = text
    if callable(action.type):
        action.type = _naming(variable, text, action.type)


def _naming(variable: str, given: str, read: Reader) -> Reader:
    """Reads alike, and names the variable where it is to blame."""

    def named(text: str) -> Any:
        try:
            return read(text)
        except argparse.ArgumentTypeError as error:
            blame = f" (in {variable})" if text == given else ""
            raise argparse.ArgumentTypeError(f"{error}{blame}") from error

    return named


def _add_model_flags(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add("--model", required=True, type=model, help="the model, as Ollama names it")
    add("--digest", type=digest, help="the only digest that is right, sha256:…")
    add("--context-length", type=whole, metavar="TOKENS", help="load it with this context")
    add("--parallel", type=whole, metavar="N", help="how many answers Ollama gives at a time")
    add("--batch", type=whole, metavar="N", help="load it with this batch size")
    add("--threads", type=whole, metavar="N", help="load it with so many threads")
    add("--gpus", type=count, default=0, metavar="N", help="how many GPUs it is to use (0)")
    add(
        "--pull-policy",
        type=one_of(wire.PullPolicy),
        default=wire.PullPolicy.IF_NOT_PRESENT,
        metavar="WHEN",
        help="when it is pulled: IfNotPresent, Always, Never (IfNotPresent)",
    )
    add(
        "--insecure-registry",
        action="store_true",
        help="let Ollama pull from a registry over plain HTTP",
    )


def _add_heat_flags(group: "argparse._ArgumentGroup") -> None:
    for option in options():
        group.add_argument(
            option.flag,
            dest=_dest(option),
            action="append" if option.is_list else "store",
            metavar=_metavar(option),
            help=_told(option),
        )


def _metavar(option: Option) -> str:
    kind = get_args(option.kind)[0] if option.is_list else option.kind
    if isinstance(kind, type) and issubclass(kind, StrEnum):
        return "|".join(kind)
    if kind is bool:
        return "true|false"
    return {str: "TEXT", int: "N", float: "N"}[kind]


def _told(option: Option) -> str:
    """What holds without the flag; and what else is to know."""
    value: Any = defaults(uses_gpu=True)
    for name in option.path:
        value = getattr(value, name)
    if isinstance(value, tuple):
        listed = ", ".join(value) or "none"
        return f"({listed}); may be given several times"
    if isinstance(value, bool):
        return "(true)" if value else "(false)"
    return (
        "(none)" if value is None else f"({value:g})" if isinstance(value, float) else f"({value})"
    )


def _dest(option: Option) -> str:
    return option.variable.removeprefix(_PREFIX).lower()


def _add_place_flags(group: "argparse._ArgumentGroup") -> None:
    add = group.add_argument
    add(
        "--ollama",
        type=url,
        default=f"http://127.0.0.1:{wire.OLLAMA_PORT}",
        metavar="URL",
        help=f"where Ollama is (http://127.0.0.1:{wire.OLLAMA_PORT})",
    )
    add(
        "--listen",
        metavar="HOST:PORT",
        help=f"where to answer (127.0.0.1:{wire.SIDECAR_PORT}; in a pod :{wire.SIDECAR_PORT})",
    )
    add(
        "--heat-file",
        type=Path,
        metavar="FILE",
        help="read from here how the model is kept hot, and again whenever it changes (in a pod"
        f" {wire.HEAT_DIRECTORY}/{wire.HEAT_FILE})",
    )
    add(
        "--drain-timeout-seconds",
        type=seconds,
        default=60.0,
        metavar="SECONDS",
        help="at the end, wait so long for answers under way (60)",
    )
    add("--hands", type=Path, default=Path(wire.HANDS_DIRECTORY), help=argparse.SUPPRESS)
    add("--record", type=Path, metavar="FILE", help="write down what is seen, for `replay`")
    add(
        "--gpu-device",
        action="append",
        metavar="INDEX|UUID",
        help="a GPU that Ollama uses; may be given several times (all; in a pod its own)",
    )
    add("--ollama-pid", type=whole, metavar="PID", help="which `ollama serve` it is, of several")
    add("--no-processes", action="store_true", help="do not look at Ollama's processes")
    for flag, words, default in (
        ("--log-format", ("auto", "text", "json"), "auto"),
        ("--log-level", ("debug", "info", "warning"), "info"),
    ):
        add(flag, type=one_of(words), default=default, metavar="|".join(words), help=f"({default})")


# --- what they mean -----------------------------------------------------------------------------


def orders(parsed: argparse.Namespace, environment: Mapping[str, str]) -> Orders:
    """What `run` was told; `UsageError` where that cannot be."""
    for name in ("insecure_registry", "no_processes"):
        if not isinstance(value := getattr(parsed, name), bool):
            raise UsageError(f"{_PREFIX}{name.upper()}: must be true or false, not {value!r}")
    in_pod = "KUBERNETES_SERVICE_HOST" in environment
    devices = None if in_pod else ("all",)
    told = Orders(
        pod=wire.Arguments(
            model=parsed.model,
            digest=parsed.digest,
            context_length=parsed.context_length,
            parallel=parsed.parallel,
            batch=parsed.batch,
            threads=parsed.threads,
            gpus=parsed.gpus,
            pull_policy=wire.PullPolicy(parsed.pull_policy),
            insecure_registry=parsed.insecure_registry,
            drain_timeout_seconds=parsed.drain_timeout_seconds,
        ),
        heat=_heat(parsed, in_pod=in_pod),
        ollama_url=parsed.ollama,
        listen=parsed.listen or f"{'' if in_pod else '127.0.0.1'}:{wire.SIDECAR_PORT}",
        hands=parsed.hands,
        record=parsed.record,
        gpu_devices=tuple(parsed.gpu_device) if parsed.gpu_device else devices,
        server_pid=parsed.ollama_pid,
        sees_processes=not parsed.no_processes,
    )
    refuse_idle_flags(parsed, told)
    return told


def _heat(parsed: argparse.Namespace, *, in_pod: bool) -> Path | wire.HeatConfig:
    given: dict[Option, list[str]] = {}
    for option in options():
        value = getattr(parsed, _dest(option))
        if value is not None:
            given[option] = value if isinstance(value, list) else [value]
    file: Path | None = parsed.heat_file
    if file is None and in_pod:
        file = Path(wire.HEAT_DIRECTORY, wire.HEAT_FILE)
    if file is None:
        return configured(defaults(uses_gpu=parsed.gpus > 0), given)
    if given:
        raise UsageError(
            f"{next(iter(given)).flag} and {file} both say how the model is kept hot: leave the"
            " flag out, or change the file"
        )
    return file
