"""What the operator costs, and how soon it acts: `PYTHONPATH=tests python -m bench.scale`.

For each number of LLMDeployments there is a fresh test bed of its own (docs/test-bed.md), with
nodes that only pretend (KWOK), and the real operator. Each figure is told beside the limit that it
is held to. The peer of each run writes the same objects in a plain loop, by the same client: what
Kubernetes itself takes.
"""

import argparse
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory

from bench.scale import fleet, program
from bench.scale.order import Order

from bed import lifecycle
from bed.controlplane import kubectl
from bed.errors import BedError
from bed.fakes import add_fake_nodes
from bed.layout import Bed
from bed.machine import inside

ROOT = Path(__file__).parents[2]
FAKE_NODES = 20
PARTS = ("peer", "operator")
MOST_SECONDS = 1800


def main() -> None:
    """Brings up one bed after the other, and has each measured from inside."""
    parser = argparse.ArgumentParser(prog="python -m bench.scale", description=__doc__)
    parser.add_argument("sizes", nargs="*", type=int, default=[100, 300, 1000])
    parser.add_argument("--only", choices=PARTS, help="one of the two")
    parser.add_argument("--bed", default="scale", help="name of a bed that is not up")
    parser.add_argument("--samples", type=int, default=50, help="of each latency")
    parser.add_argument("--quiet", type=int, default=60, help="seconds that count as quiet")
    settings = parser.parse_args()
    bed = Bed(settings.bed)
    if lifecycle.state_of(bed):
        raise SystemExit(f"the bed {bed.name!r} is up: name another with --bed, or take it down")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # beds end with their blocks
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}", flush=True)
    with TemporaryDirectory(prefix="stoker-bench-") as folder:
        for size in settings.sizes:
            price = Path(folder) / f"peer-{size}.json"
            order = Order(bed, size, settings.samples, settings.quiet, price)
            for part in PARTS:
                if settings.only in (None, part):
                    with fresh(bed):
                        measure(part, order)


@contextmanager
def fresh(bed: Bed) -> Iterator[None]:
    """A bed with our API, and nodes for as many pods as anybody wants."""
    try:
        lifecycle.up(bed, nodes=0)
        add_fake_nodes(bed, FAKE_NODES)
        definition = ROOT / "crds/llmdeployments.stoker.dev.yaml"
        for words in (
            ("apply", "--server-side", f"--filename={definition}"),
            ("wait", "--for=condition=Established", "crd/llmdeployments.stoker.dev"),
            ("create", "namespace", fleet.NAMESPACE),
        ):
            _kubectl(bed, *words)
        _make_account(bed)
        yield
    finally:
        lifecycle.down(bed)


def _make_account(bed: Bed) -> None:
    """Who the operator is. It may do anything: rights are proven elsewhere."""
    where = f"--namespace={fleet.NAMESPACE}"
    _kubectl(bed, where, "create", "serviceaccount", program.ACCOUNT)
    subject = f"--serviceaccount={fleet.NAMESPACE}:{program.ACCOUNT}"
    _kubectl(bed, "create", "clusterrolebinding", "bench", "--clusterrole=cluster-admin", subject)
    folder = program.account_folder(bed)
    folder.mkdir()
    (folder / "token").write_text(_kubectl(bed, where, "create", "token", program.ACCOUNT))
    shutil.copy(bed.pki / "ca.crt", folder)


def _kubectl(bed: Bed, *words: str) -> str:
    done = kubectl(bed, *words)
    if done.returncode != 0:
        raise BedError(f"kubectl {' '.join(words)}: {done.stderr.strip()}")
    return done.stdout


def measure(part: str, order: Order) -> None:
    """In the network of the API server: what carries requests into the bed takes time too."""
    command = [sys.executable, "-m", f"bench.scale.{part}", *order.words()]
    subprocess.run(  # noqa: S603 - our own program
        inside(order.bed.control_plane, command),
        env={**os.environ, "PYTHONPATH": f"{ROOT}:{ROOT / 'tests'}"},
        check=True,
        timeout=MOST_SECONDS,
    )


if __name__ == "__main__":
    main()
