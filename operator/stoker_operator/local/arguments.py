"""The command line of everything on one machine: `up`, `down`, `status`, `logs`, `why`."""

import argparse

from stoker_operator.flags import add_files, add_namespace

LOCAL = ("up", "down", "status", "logs", "why")


def add_commands(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    """Adds them all."""
    _add_up(commands)
    _add_down(commands)
    _add_status(commands)
    _add_logs(commands)
    _add_why(commands)


def _add_up(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    up = commands.add_parser(
        "up",
        help="run LLMDeployments on this machine, without a cluster",
        description="Runs LLMDeployments on this machine: the processes that their pods would be,"
        " kept hot by the same sidecars, behind one address each. Edit the file and it is taken"
        " up. Ctrl-C lets answers under way finish, and ends everything.",
        epilog="example: stoker up -f examples/minimal.yaml",
    )
    add_files(up)
    add_namespace(up)
    up.add_argument(
        "--ollama",
        metavar="PATH|URL",
        help="the program `ollama`, or one that runs already, such as http://127.0.0.1:11434, or"
        " `simulator` (default: `ollama` on PATH, else the simulator)",
    )
    up.add_argument(
        "--listen",
        metavar="[NAME=]HOST:PORT",
        action="append",
        default=[],
        help="where clients find the LLMDeployment of this name (default: 127.0.0.1 and the port"
        " of its Service, or a free one); may be given several times",
    )
    up.add_argument("-d", "--detach", action="store_true", help="go on in the background")
    up.add_argument("--silent", action="store_true", help=argparse.SUPPRESS)
    _add_state(up)


def _add_down(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    down = commands.add_parser(
        "down",
        help="end what `stoker up` runs",
        description="Ends what `stoker up` runs. Answers under way may finish.",
        epilog="example: stoker down",
    )
    down.add_argument("names", metavar="NAME", nargs="*", help="which LLMDeployment (all)")
    down.add_argument("--now", action="store_true", help="do not wait for answers under way")
    _add_state(down)


def _add_status(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    status = commands.add_parser(
        "status",
        help="show what `stoker up` runs",
        description="Shows what `stoker up` runs: a line for each replica.",
        epilog="example: stoker status -o json | jq '.[].address'",
    )
    status.add_argument("-o", "--output", choices=["table", "json"], default="table")
    _add_state(status)


def _add_logs(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    logs = commands.add_parser(
        "logs",
        help="print what the processes of `stoker up` say",
        description="Prints what the processes of an LLMDeployment say, or said.",
        epilog="example: stoker logs phi3 --follow --process ollama",
    )
    logs.add_argument("name", metavar="NAME", help="the LLMDeployment")
    logs.add_argument("--follow", action="store_true", help="go on with what comes")
    logs.add_argument(
        "--process",
        choices=["ollama", "sidecar", "forwarder", "stoker"],
        help="of these alone (default: all)",
    )
    logs.add_argument("--replica", type=int, metavar="N", help="of this replica alone")
    logs.add_argument(
        "--tail", type=int, default=20, metavar="N", help="lines of each (default: %(default)s)"
    )
    _add_state(logs)


def _add_why(commands: "argparse._SubParsersAction[argparse.ArgumentParser]") -> None:
    why = commands.add_parser(
        "why",
        help="say why a model is hot, or is not",
        description="Says of each replica what its sidecar finds now, and what came before.",
        epilog="example: stoker why phi3",
    )
    why.add_argument("name", metavar="NAME", help="the LLMDeployment")
    _add_state(why)


def _add_state(command: argparse.ArgumentParser) -> None:
    command.add_argument(
        "--state",
        metavar="FOLDER",
        help="where it is kept what runs (default: $XDG_STATE_HOME/stoker, or"
        " ~/.local/state/stoker)",
    )
