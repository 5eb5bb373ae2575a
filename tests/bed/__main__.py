"""Brings a test bed up, looks at it, takes it down (docs/test-bed.md)."""

import argparse
import subprocess
import sys
from collections.abc import Callable

from bed import fakes, lifecycle, machine
from bed.errors import BedError
from bed.images import PROJECT_SOURCES, project_image
from bed.layout import Bed, Machine
from bed.tools import TOOLS, tool


def main() -> int:
    """The exit status: 1 with one sentence on stderr when the bed cannot do what was asked."""
    arguments = _parser().parse_args()
    try:
        status: int = arguments.run(Bed(arguments.name), arguments)
    except (BedError, TimeoutError) as error:
        print(f"bed: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        print("bed: interrupted; `down` removes what is up so far", file=sys.stderr)
        return 130
    return status


def _up(bed: Bed, arguments: argparse.Namespace) -> int:
    if not lifecycle.up(bed, nodes=arguments.nodes):
        print(f"bed: {bed.name!r} is up already", file=sys.stderr)
    print(f"export KUBECONFIG={bed.kubeconfig}")
    return 0


def _down(bed: Bed, _: argparse.Namespace) -> int:
    lifecycle.down(bed)
    return 0


def _status(bed: Bed, _: argparse.Namespace) -> int:
    state = lifecycle.state_of(bed)
    if not state:
        print(f"bed: {bed.name!r} is not up", file=sys.stderr)
    for name, pid in state.items():
        print(f"{name:30} {pid or 'has ended; see ' + str(bed.folder / 'logs' / name) + '.log'}")
    return 0 if state and all(state.values()) else 1


def _exec(bed: Bed, arguments: argparse.Namespace) -> int:
    command = machine.inside(_machine(bed, arguments), arguments.argv)
    return subprocess.run(command, check=False).returncode


def _unplug(bed: Bed, arguments: argparse.Namespace) -> int:
    machine.unplug(_machine(bed, arguments))
    return 0


def _plug(bed: Bed, arguments: argparse.Namespace) -> int:
    machine.plug(_machine(bed, arguments))
    return 0


def _fakes(bed: Bed, arguments: argparse.Namespace) -> int:
    fakes.add_fake_nodes(bed, arguments.count)
    return 0


def _image(bed: Bed, arguments: argparse.Namespace) -> int:
    image = project_image(arguments.target)
    lifecycle.provide(bed, image)
    print(image.tag)
    return 0


def _tool(_: Bed, arguments: argparse.Namespace) -> int:
    print(tool(arguments.tool))
    return 0


def _machine(bed: Bed, arguments: argparse.Namespace) -> Machine:
    for found in (bed.control_plane, *bed.nodes()):
        if found.name == arguments.machine:
            return found
    names = ", ".join(found.name for found in (bed.control_plane, *bed.nodes()))
    raise BedError(f"bed {bed.name!r} has no machine {arguments.machine!r}; it has {names}")


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m bed", description=__doc__)
    parser.add_argument("--name", default="bed", help="which bed, when there are several")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")

    def command(
        name: str, run: Callable[[Bed, argparse.Namespace], int], what: str
    ) -> argparse.ArgumentParser:
        added: argparse.ArgumentParser = commands.add_parser(name, help=what, description=what)
        added.set_defaults(run=run)
        return added

    up = command("up", _up, "bring up what is not up yet")
    up.add_argument(
        "--nodes", type=int, default=lifecycle.default_nodes(), help="0: an API server alone"
    )
    command("down", _down, "take the bed down and leave nothing behind")
    command("status", _status, "what runs; exit status 1 unless all of it does")
    run = command("exec", _exec, "run a command in a machine of the bed")
    run.add_argument("machine", help="control-plane, node-1 …")
    run.add_argument("argv", nargs=argparse.REMAINDER, metavar="command")
    command("unplug", _unplug, "cut a node off").add_argument("machine")
    command("plug", _plug, "connect it again").add_argument("machine")
    added = command("fakes", _fakes, "add nodes that only pretend to run their pods")
    added.add_argument("count", type=int)
    image = command("image", _image, "build an image, give it to the nodes, print its name")
    image.add_argument("target", choices=PROJECT_SOURCES, help="a target of the Dockerfile")
    command("tool", _tool, "print the path of a program").add_argument("tool", choices=TOOLS)
    return parser


if __name__ == "__main__":
    sys.exit(main())
