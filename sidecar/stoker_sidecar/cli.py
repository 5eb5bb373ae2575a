"""`stoker-sidecar`, the command. What a command needs is imported when it runs."""

import argparse
import os
import sys
from collections.abc import Mapping, Sequence
from typing import NoReturn

from stoker_sidecar import VERSION
from stoker_sidecar.errors import SidecarError, UsageError
from stoker_sidecar.flags import add_run_flags, orders


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs `stoker-sidecar`; the process's exit status."""
    parsed = parser(os.environ).parse_args(arguments)
    try:
        match parsed.command:
            case "run":
                return _run(parsed)
            case "replay":
                return _replay(parsed)
            case _:
                print(VERSION)
                return 0
    except SidecarError as error:
        print(f"stoker-sidecar: {error}", file=sys.stderr)
        return 2 if isinstance(error, UsageError) else 1
    except BrokenPipeError:  # `stoker-sidecar replay … | head`
        sys.stderr.close()
        return 1


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        """Says what is wrong, and not all flags before it."""
        self.exit(2, f"{self.prog}: {message}\nAll that can be said: {self.prog} --help\n")


def parser(environment: Mapping[str, str]) -> argparse.ArgumentParser:
    """All that `stoker-sidecar` understands; what flags do not say, the environment may."""
    sidecar = _Parser(
        prog="stoker-sidecar",
        description="Keeps one Ollama's model hot, and says whether it is.",
        epilog="Exit status: 0 ended as told, 1 something is wrong, 2 wrong usage.",
    )
    commands = sidecar.add_subparsers(dest="command", required=True, metavar="COMMAND")
    run = commands.add_parser(
        "run",
        help="keep a model hot",
        description="Pulls, loads and warms a model, and watches it. /readyz answers 200 while it"
        "\nis hot and 503 while it is not; / is a page about it.",
        epilog="example: stoker-sidecar run --model phi3:mini --ollama http://127.0.0.1:11434\n\n"
        "Each flag can be given in the environment as well: --context-length as\n"
        "STOKER_CONTEXT_LENGTH. Flags win. Exit status: 0 ended as told, 1 something is wrong, 2\n"
        "wrong usage.",
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add_run_flags(run, environment)
    replay = commands.add_parser(
        "replay",
        help="explain what a sidecar saw and did",
        description="Reads a file that `run --record FILE` wrote, and explains each change.",
        epilog="example: stoker-sidecar replay timeline.jsonl | less",
    )
    replay.add_argument("file", metavar="FILE", help="the file, or - for standard input")
    replay.add_argument("--all", action="store_true", help="each step, not the changes alone")
    commands.add_parser("version", help="print the version", description="Prints the version.")
    return sidecar


def _run(parsed: argparse.Namespace) -> int:
    import asyncio  # noqa: PLC0415

    from stoker_api import logs  # noqa: PLC0415
    from stoker_sidecar import app  # noqa: PLC0415

    told = orders(parsed, os.environ)
    logs.start(parsed.log_format, parsed.log_level)
    asyncio.run(app.run(told, os.environ))
    return 0


def _replay(parsed: argparse.Namespace) -> int:
    from stoker_sidecar.timeline import explained, read, replay  # noqa: PLC0415

    for sentence in explained(replay(read(parsed.file)), every_step=parsed.all):
        print(sentence)
    return 0
