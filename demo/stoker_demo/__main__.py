"""`make demo`: plays the story, and says what came of it."""

import argparse
import asyncio
import logging
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from stoker_demo import cast, report
from stoker_demo.errors import DemoError
from stoker_demo.judging import TooFewError, limits, promise
from stoker_demo.performance import perform
from stoker_demo.screen import Screen
from stoker_operator.errors import StokerError

_REPORT = Path(__file__).parents[1] / "report.html"
_INTERRUPTED = 130
_AROUND_SECONDS = 10.0
"""What starting and ending take, about."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the demo; 1 where it showed something else than is promised, 2 where it could not."""
    parsed = _parser().parse_args(arguments)
    logging.getLogger("stoker_operator").setLevel(logging.ERROR)
    try:
        with tempfile.TemporaryDirectory(prefix="stoker-demo-") as folder:
            return _demo(parsed, Path(folder))
    except (DemoError, StokerError, TooFewError) as error:
        sys.stderr.write(f"demo: {error}\n")
        return 2
    except (KeyboardInterrupt, asyncio.CancelledError):
        return _INTERRUPTED


def _demo(parsed: argparse.Namespace, folder: Path) -> int:
    if not parsed.report.absolute().parent.is_dir():
        raise DemoError(f"--report {parsed.report}: there is no folder {parsed.report.parent}")
    players = cast.real(parsed.ollama, folder / "models") if parsed.ollama else cast.simulated()
    screen = Screen()
    screen.introduce(players.server, players.story.ends + _AROUND_SECONDS)
    run = asyncio.run(perform(players, folder, screen))
    than = limits(run)
    found = promise(run.stoker, than)
    screen.conclude(run, than, found)
    parsed.report.write_text(report.page(run, players.replicas, than), encoding="utf-8")
    screen.say(f"As a page: {parsed.report.resolve().as_uri()}")
    return 0 if found.is_kept else 1


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="make demo",
        description="The same Ollamas under the same load and the same faults, as people run them"
        " today and with Stoker. docs/demo.md tells what is seen.",
    )
    parser.add_argument(
        "--ollama",
        metavar="real|PATH",
        help="play it with a real Ollama: the one on PATH, or this one (default: the simulator)",
    )
    parser.add_argument(
        "--report",
        type=Path,
        default=_REPORT,
        metavar="FILE",
        help="where the page is written (default: %(default)s)",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
