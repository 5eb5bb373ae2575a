"""`stoker`, the command. What a command needs is imported when it runs: `--help` is instant."""

import argparse
import sys
from collections.abc import Sequence

from stoker_operator.errors import StokerError
from stoker_operator.flags import add_files, add_namespace
from stoker_operator.local.arguments import LOCAL, add_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `stoker`; the process's exit status."""
    parsed = parser().parse_args(arguments)
    if parsed.command in LOCAL:
        from stoker_operator.local import commands  # noqa: PLC0415
    else:
        from stoker_operator import commands  # type: ignore[no-redef] # noqa: PLC0415

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
    _add_operator(commands)
    add_commands(commands)
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
    add_files(render)
    _add_output(render)
    add_namespace(render)
    _add_settings(render)


def _add_validate(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    validate = commands.add_parser(
        "validate",
        help="say what is wrong with LLMDeployments",
        description="Says what is wrong with LLMDeployments: each problem with its file, line,"
        " document and field, and what to write instead. The same rules as in the API server,"
        " in the same words.",
        epilog="example: stoker validate -f examples/",
    )
    add_files(validate)


def _add_operator(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    operator = commands.add_parser(
        "operator",
        help="keep the objects of all LLMDeployments as they should be",
        description="Runs the operator: makes the objects of every LLMDeployment, keeps them so,"
        " and says in its status what is so. In a pod, with the pod's ServiceAccount; elsewhere"
        " with a kubeconfig.",
        epilog="example, on a laptop: stoker operator --kubeconfig ~/.kube/config"
        " --namespace llms --listen 127.0.0.1:8080",
    )
    where = operator.add_argument_group("the cluster")
    where.add_argument(
        "--kubeconfig",
        metavar="FILE",
        help="kubeconfig to use (default: KUBECONFIG, the pod's ServiceAccount, ~/.kube/config)",
    )
    where.add_argument("--context", metavar="NAME", help="context of the kubeconfig")
    where.add_argument(
        "-n",
        "--namespace",
        dest="namespaces",
        metavar="NAME",
        action="append",
        default=[],
        help="namespace to look after; may be given several times (default: all)",
    )
    where.add_argument(
        "--lease-namespace",
        metavar="NAME",
        help="namespace of the Lease by which one of several replicas leads"
        " (default: the pod's own; outside a cluster: no Lease, for a single replica)",
    )
    where.add_argument(
        "--pod-addresses",
        choices=["auto", "reach", "skip"],
        default="auto",
        help="whether sidecars can be asked at their pods' addresses; status has fewer figures"
        " where they cannot (default: %(default)s: in a pod they can)",
    )
    made = operator.add_argument_group("what is made")
    _add_settings(made)
    made.add_argument(
        "--sidecar-cluster-role",
        metavar="NAME",
        default="stoker-sidecar",
        help="ClusterRole that lets a sidecar set its pod's gate (default: %(default)s)",
    )
    made.add_argument(
        "--roll-sidecars",
        action="store_true",
        help="give running pods this sidecar image now, one by one, instead of with their next"
        " change",
    )
    itself = operator.add_argument_group("the operator itself")
    itself.add_argument(
        "--listen",
        metavar="ADDRESS:PORT",
        default="0.0.0.0:8080",
        help="where /livez, /readyz and /metrics are (default: %(default)s)",
    )
    itself.add_argument(
        "--page",
        metavar="ADDRESS:PORT",
        help="show a page of all LLMDeployments there, to whoever gets there"
        " (default: nowhere; 127.0.0.1:8081 is for this machine alone)",
    )
    itself.add_argument(
        "--workers",
        type=int,
        default=8,
        metavar="NUMBER",
        help="LLMDeployments looked after at the same time (default: %(default)s)",
    )
    itself.add_argument(
        "--log-format",
        choices=["auto", "json", "text"],
        default="auto",
        help="auto: text at a terminal, JSON elsewhere (default: %(default)s)",
    )
    itself.add_argument(
        "--log-level",
        choices=["debug", "info", "warning", "error"],
        default="info",
        help="the least that is logged (default: %(default)s)",
    )


def _add_settings(command: "argparse._ActionsContainer") -> None:
    command.add_argument("--sidecar-image", metavar="IMAGE", help="image of the sidecar")
    command.add_argument(
        "--network-policy",
        action="store_true",
        help="add a NetworkPolicy: only clients, the operator and monitoring reach the pods",
    )
    command.add_argument(
        "--operator-namespace",
        metavar="NAME",
        default="stoker-system",
        help="where that operator is (default: %(default)s)",
    )
    command.add_argument(
        "--monitoring-namespace",
        metavar="NAME",
        default="monitoring",
        help="where that monitoring is (default: %(default)s)",
    )
    command.add_argument(
        "--pod-monitor",
        action="store_true",
        help="add a PodMonitor, for clusters with the Prometheus operator",
    )
    command.add_argument(
        "--pod-monitor-label",
        dest="pod_monitor_labels",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="label by which a Prometheus finds its PodMonitors; may be given several times",
    )


def _add_output(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "-o",
        "--output",
        choices=["yaml", "json"],
        default="yaml",
        help="form of the output (default: %(default)s)",
    )
