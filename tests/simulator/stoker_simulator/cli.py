"""`stoker-simulator`, the command."""

import argparse
import asyncio
import os
import shlex
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from stoker_simulator import VERSION, faults
from stoker_simulator.errors import SimulatorError, UsageError
from stoker_simulator.hardware import Hardware
from stoker_simulator.memory import GIB, Machine
from stoker_simulator.settings import read_settings
from stoker_simulator.shelf import Shape, known_names, known_shape
from stoker_simulator.simulator import Plan, run
from stoker_simulator.sizes import parse_size


def _argument(parse: Callable[[str], int]) -> Callable[[str], int]:
    """A parser whose sentence argparse shows."""

    def parsed(text: str) -> int:
        try:
            return parse(text)
        except ValueError as error:
            raise argparse.ArgumentTypeError(str(error)) from None

    return parsed


VARIABLE = "STOKER_SIMULATOR"

_size = _argument(parse_size)

_OPTIONS: tuple[tuple[str, Callable[[str], object], str, str], ...] = (
    ("--gpu-memory", _size, "SIZE", "give it a GPU with so much memory"),
    ("--memory", _size, "SIZE", "its ordinary memory (64GiB)"),
    ("--speed", float, "N", "how fast its time goes (1); at 0 only the control port moves it"),
    ("--seed", int, "N", "the same seed gives the same answers (0)"),
    ("--scenario", Path, "FILE", "a machine, its models, and what goes wrong when (YAML)"),
    ("--control-port", int, "PORT", "faults, time and state, on loopback; 0 takes a free port"),
    ("--nvml-state", Path, "FILE", "write what the GPU really has into this file"),
    ("--ollama-version", str, "VERSION", f"the version that it says it is ({VERSION})"),
)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `stoker-simulator`; the process's exit status."""
    given = sys.argv[1:] if arguments is None else arguments
    try:
        parsed = parser().parse_args([*_of_environment(), *given])
        if parsed.command == "faults":
            sys.stdout.write(f"{faults.table()}\n")
        else:
            asyncio.run(run(plan(parsed)))
    except SimulatorError as error:
        sys.stderr.write(f"stoker-simulator: {error}\n")
        return 2
    return 0


def _of_environment() -> list[str]:
    """More options, for a place where only the environment can be set, as in a pod."""
    text = os.environ.get(VARIABLE, "")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise UsageError(f"{VARIABLE}: `{text}`: {error}") from None


def parser() -> argparse.ArgumentParser:
    """All that `stoker-simulator` understands."""
    command = argparse.ArgumentParser(
        prog="stoker-simulator",
        description="An Ollama without models: its API, its scheduler, its processes, and its"
        " failures on command. OLLAMA_* variables mean what they mean to Ollama;"
        f" {VARIABLE} may hold more of the options below.",
        epilog="example: stoker-simulator --model phi3:mini --gpu-memory 24GiB --control-port 0",
    )
    command.add_argument(
        "command",
        nargs="?",
        choices=["serve", "faults"],
        default="serve",
        help="serve (default), or print the faults that there are",
    )
    for name, kind, placeholder, text in _OPTIONS:
        command.add_argument(name, type=kind, metavar=placeholder, help=text)
    command.add_argument(
        "--model",
        action="append",
        default=[],
        metavar="NAME[=SIZE]",
        help=f"a model on its disk; known without a size: {known_names()}",
    )
    return command


def plan(parsed: argparse.Namespace) -> Plan:
    """What these arguments ask for: the scenario's machine, with what options say otherwise."""
    made = Plan(settings=read_settings(os.environ))
    if parsed.scenario is not None:
        made = _with_scenario(made, parsed.scenario)
    machine = made.hardware.machine
    machine = Machine(
        machine.gpu_bytes if parsed.gpu_memory is None else parsed.gpu_memory,
        machine.cpu_bytes if parsed.memory is None else parsed.memory,
    )
    return replace(
        made,
        hardware=replace(made.hardware, machine=machine),
        installed=(*made.installed, *(_shape(text) for text in parsed.model)),
        speed=made.speed if parsed.speed is None else parsed.speed,
        seed=made.seed if parsed.seed is None else parsed.seed,
        version=parsed.ollama_version or VERSION,
        control_port=parsed.control_port,
        nvml_state=parsed.nvml_state,
    )


def _with_scenario(made: Plan, path: Path) -> Plan:
    # Only here: YAML costs memory and time that most simulators need not spend.
    from stoker_simulator.scenario import read_scenario  # noqa: PLC0415

    try:
        text = path.read_text()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}") from error
    found = read_scenario(text, str(path))
    machine = Machine(found.gpu_bytes or 0, found.cpu_bytes or 64 * GIB)
    return replace(
        made,
        hardware=Hardware(machine, found.gpu_name or Hardware.gpu_name),
        installed=found.models,
        speed=made.speed if found.speed is None else found.speed,
        seed=made.seed if found.seed is None else found.seed,
        steps=found.steps,
    )


def _shape(text: str) -> Shape:
    name, equals, size = text.partition("=")
    if equals:
        try:
            return Shape(name, parse_size(size), parameters=parse_size(size) * 2)
        except ValueError as error:
            raise UsageError(f"--model {text}: {error}") from None
    known = known_shape(name)
    if known is None:
        known_ones = known_names()
        raise UsageError(
            f"--model {name} is not known by itself; write {name}=4GB, or take one of: {known_ones}"
        )
    return known
