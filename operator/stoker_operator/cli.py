"""`stoker`, the command. What a command needs is imported when it runs: `--help` is instant."""

import argparse
import sys
from collections.abc import Sequence

from stoker_operator.errors import StokerError

_FILES_HELP = "file, folder or - for standard input; may be given several times"


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `stoker`; the process's exit status."""
    parsed = parser().parse_args(arguments)
    from stoker_operator import commands  # noqa: PLC0415

    try:
        return int(getattr(commands, parsed.command)(parsed))
    except StokerError as error:
        print(error, file=sys.stderr)
        return 1
    except BrokenPipeError:  # `stoker … | head`
        sys.stderr.close()
        return 1


def parser() -> argparse.ArgumentParser:
    """All that `stoker` understands."""
    stoker = argparse.ArgumentParser(
        prog="stoker",
        description="Keeps local LLMs hot: a pod takes traffic only while its model is.",
        epilog="Exit status: 0 all well, 1 something is wrong with the input, 2 wrong usage.",
    )
    commands = stoker.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_render(commands)
    _add_validate(commands)
    crd = commands.add_parser(
        "crd",
        help="print the CustomResourceDefinition",
        description="Prints the CustomResourceDefinition of LLMDeployment.",
        epilog="example: stoker crd | kubectl apply --server-side -f -",
    )
    _add_output(crd)
    completion = commands.add_parser(
        "completion",
        help="print a shell completion script",
        description="Prints a script that teaches a shell to complete stoker's commands.",
        epilog="example: source <(stoker completion bash)   (in ~/.bashrc to keep it)",
    )
    completion.add_argument("shell", choices=["bash", "zsh", "tcsh"])
    commands.add_parser("version", help="print the version", description="Prints the version.")
    return stoker


def _add_render(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    render = commands.add_parser(
        "render",
        help="print the objects that LLMDeployments stand for",
        description="Prints the Kubernetes objects that the operator would make of LLMDeployments."
        " Objects of other kinds in the same files pass through unchanged.",
        epilog="example: stoker render -f examples/minimal.yaml | kubectl apply -f -",
    )
    _add_files(render)
    _add_output(render)
    render.add_argument(
        "-n",
        "--namespace",
        default="default",
        help="namespace of LLMDeployments that name none (default: %(default)s)",
    )
    render.add_argument("--sidecar-image", metavar="IMAGE", help="image of the sidecar")
    render.add_argument(
        "--network-policy",
        action="store_true",
        help="add a NetworkPolicy: only clients, the operator and monitoring reach the pods",
    )
    render.add_argument(
        "--pod-monitor",
        action="store_true",
        help="add a PodMonitor, for clusters with the Prometheus operator",
    )


def _add_validate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = commands.add_parser(
        "validate",
        help="say what is wrong with LLMDeployments",
        description="Says what is wrong with LLMDeployments: each problem with its file, line,"
        " document and field, and what to write instead. The same rules as in the API server,"
        " in the same words.",
        epilog="example: stoker validate -f examples/",
    )
    _add_files(validate)


def _add_files(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-f",
        "--filename",
        dest="files",
        metavar="FILE",
        action="append",
        required=True,
        help=_FILES_HELP,
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o",
        "--output",
        choices=["yaml", "json"],
        default="yaml",
        help="form of the output (default: %(default)s)",
    )
