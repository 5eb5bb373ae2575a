"""Fake nodes by the hundred: KWOK answers for them, and for pods that nobody runs."""

import json

from bed.controlplane import kubectl
from bed.errors import BedError
from bed.golang import module_folder
from bed.layout import Bed
from bed.machine import inside
from bed.processes import Program, start
from bed.progress import step
from bed.tools import KWOK, tool

# What KWOK is to pretend, in its own words: nodes that are well, pods that start and end at once.
STAGES = (
    "node/fast/node-initialize.yaml",
    "node/heartbeat-with-lease/node-heartbeat-with-lease.yaml",
    "pod/fast/pod-ready.yaml",
    "pod/fast/pod-complete.yaml",
    "pod/fast/pod-delete.yaml",
)
MARK = "kwok.x-k8s.io/node"


def add_fake_nodes(bed: Bed, count: int) -> None:
    """Adds fake-1 to fake-COUNT, which take only pods that tolerate the taint of fake nodes."""
    with step("compiled: KWOK"):
        tool("kwok")
    with step(f"started: {count} fake nodes"):
        _start_kwok(bed)
        nodes = {"apiVersion": "v1", "kind": "List", "items": list(map(_node, range(1, count + 1)))}
        done = kubectl(bed, "apply", "--server-side", "--filename=-", stdin=json.dumps(nodes))
    if done.returncode != 0:
        raise BedError(f"the fake nodes were not taken: {done.stderr.strip()}")


def _start_kwok(bed: Bed) -> None:
    folder = module_folder(*KWOK) / "kustomize/stage"
    stages = bed.folder / "kwok.yaml"
    stages.write_text("\n---\n".join((folder / stage).read_text() for stage in STAGES))
    argv = [
        str(tool("kwok")),
        f"--kubeconfig={bed.pki}/admin.kubeconfig",
        f"--config={stages}",
        f"--manage-nodes-with-annotation-selector={MARK}=fake",
        # Without a lease that is renewed the nodes are called lost every 50 s.
        "--node-lease-duration-seconds=40",
    ]
    start(bed, Program("kwok", inside(bed.control_plane, argv)))


def _node(number: int) -> dict[str, object]:
    metadata = {"name": f"fake-{number}", "annotations": {MARK: "fake"}, "labels": {MARK: "fake"}}
    taint = {"key": MARK, "value": "fake", "effect": "NoSchedule"}
    return {
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": metadata,
        "spec": {"taints": [taint]},
    }
