"""The contract suite on both kinds of server, as one table: `python -m contract.simulator.table`.

A line for each test: its pitfall, and how it ended on the real Ollama and on the simulator. Then a
line for each pitfall that only one of them shows, with the reason. Exit status 1 if any differ.
"""

import json
import os
import subprocess
import sys
import tempfile
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from stoker_simulator.faults import FAULTS

TESTS = Path(__file__).parents[2]
SUITE = TESTS / "contract" / "ollama"

Outcomes = dict[str, dict[str, Any]]

NEEDS_A_GPU = "the real one is built for the CPU alone"
NOT_RUN = "no test of this run shows it"
# Why a pitfall is shown by the simulator and not by the real Ollama here.
REASONS = {
    "P21": NEEDS_A_GPU,
    "P22": NEEDS_A_GPU,
    "P23": NEEDS_A_GPU,
    "P25": NEEDS_A_GPU,
    "P29": NEEDS_A_GPU,
    "P39": "the real one would need a disk of its own to fill",
    "0.30": "newer than the real one here",
    "R1": "a field report; the real one is as fast as its machine",
    "R4": "a field report; it takes somebody else's server",
}


def main(options: list[str]) -> int:
    """Runs the suite on both, and prints the table."""
    real, simulated = _run("real", options), _run("simulator", options)
    names = sorted({*real, *simulated})
    differing = [name for name in names if _outcome(real, name) != _outcome(simulated, name)]
    failed = [name for name in names if _outcome(real, name) != "passed"]
    count = f"{len(names)} tests, {len(differing)} differ, {len(failed)} fail on the real one"
    lines = [*_tests(real, simulated, names), "", *_pitfalls(real), "", count]
    sys.stdout.write("\n".join([*lines, ""]))
    return 1 if differing or failed else 0


def _tests(real: Outcomes, simulated: Outcomes, names: list[str]) -> Iterator[str]:
    width = max(map(len, names))
    yield f"{'test':<{width}}  {'P':<6}  {'real':<8}simulator"
    for name in names:
        numbers = sorted((real.get(name) or simulated[name])["pitfalls"])
        pitfalls = " ".join(f"P{number}" for number in numbers)
        outcomes = f"{_outcome(real, name):<8}{_outcome(simulated, name)}"
        yield f"{name:<{width}}  {pitfalls:<6}  {outcomes}"


def _pitfalls(real: Outcomes) -> Iterator[str]:
    """The pitfalls that only the simulator shows, and why."""
    shown = {f"P{number}" for outcome in real.values() for number in outcome["pitfalls"]}
    only: defaultdict[str, list[str]] = defaultdict(list)
    for fault in FAULTS.values():
        if fault.pitfall not in shown:
            only[fault.pitfall].append(fault.name)
    yield "shown by the simulator alone"
    for pitfall, faults in only.items():
        yield f"{pitfall:<6}  {REASONS.get(pitfall, NOT_RUN)} ({', '.join(faults)})"


def _run(kind: str, options: list[str]) -> Outcomes:
    with tempfile.TemporaryDirectory(prefix="stoker-table-") as folder:
        record = Path(folder, "record.json")
        plugin = ["-p", "contract.simulator.recording", f"--record={record}"]
        command = [sys.executable, "-m", "pytest", "-q", str(SUITE), f"--ollama={kind}", *plugin]
        # What pytest prints is for people who wait; the table goes to standard output.
        subprocess.run(
            [*command, *options],
            env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, sys.path))},
            stdout=sys.stderr,
            check=False,
        )
        if not record.exists():
            raise SystemExit(f"the contract suite did not run against {kind}; see above")
        return dict(json.loads(record.read_text()))


def _outcome(outcomes: Outcomes, name: str) -> str:
    return str(outcomes[name]["outcome"]) if name in outcomes else "not run"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
