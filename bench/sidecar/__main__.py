"""How small the sidecar is, and how soon it notices: `PYTHONPATH=tests python -m bench.sidecar`.

Each row is the real command beside a real Ollama (compiled by the test bed), or beside the
simulator where the row says so. As root it also measures when the gate's write reaches an API
server: a stand-in on loopback, over TLS. Each row is told beside the limit that it is held to.
"""

import argparse
import os
import signal
import sys

from bench.sidecar import losses, quiet

MOUNTS = "STOKER_BENCH_MOUNTS"

ROWS = {
    each.__name__.replace("_", "-"): each
    for each in (
        quiet.size,
        losses.heat_lost,
        losses.seen_by_polls,
        losses.out_of_sight,
        quiet.restart,
        quiet.idle,
        losses.hang,
        losses.server_stopped,
        quiet.saturated,
    )
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", choices=list(ROWS), action="append", help="these rows alone")
    parser.add_argument("--repetitions", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60, help="of an idle period")
    parser.add_argument("--saturate", type=float, default=60, help="seconds of saturating traffic")
    settings = parser.parse_args()
    settings.mounts = os.geteuid() == 0
    if settings.mounts and MOUNTS not in os.environ:
        # A sidecar finds its token in one place alone; in a mount namespace it can be put there.
        again = [sys.executable, "-m", "bench.sidecar", *sys.argv[1:]]
        os.environ[MOUNTS] = "1"
        os.execvp("unshare", ["unshare", "--mount", *again])  # noqa: S606, S607
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # servers end with their blocks
    # Who waits in another thread here is not to wait long for whoever asks without a pause.
    sys.setswitchinterval(0.0002)
    print(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    for name, measure in ROWS.items():
        if settings.only is None or name in settings.only:
            measure(settings)


if __name__ == "__main__":
    main()
