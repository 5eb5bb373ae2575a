"""A bed comes up beside another one, mends itself, and leaves nothing behind."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from bed import lifecycle, processes
from bed.cluster import Cluster, Namespace, wait_for
from bed.images import base_image
from bed.layout import Bed
from bed.node import provide_image
from bed.tools import tool

POD = """
apiVersion: v1
kind: Pod
metadata: {{name: sleeper}}
spec:
  containers:
  - {{name: sleeper, image: {image}, command: [sleep, infinity]}}
"""


@pytest.fixture
def second() -> Iterator[Bed]:
    bed = Bed("second")
    yield bed
    lifecycle.down(bed)


def test_a_second_bed_comes_up_mends_itself_and_leaves_nothing(bed: Bed, second: Bed) -> None:
    before = _traces()
    lifecycle.up(second, nodes=1)
    _run_a_pod(second)

    processes.stop(second, "node-1.kube-proxy", signal.SIGKILL)
    assert lifecycle.state_of(second)["node-1.kube-proxy"] is None
    assert lifecycle.up(second, nodes=1)
    assert all(lifecycle.state_of(second).values())

    lifecycle.down(second)

    def nothing_is_left() -> None:
        assert _traces() == before

    # What was killed is listed until the first process of the machine has taken notice.
    wait_for(nothing_is_left, seconds=10)
    assert all(lifecycle.state_of(bed).values())


def _run_a_pod(bed: Bed) -> None:
    image = base_image()
    provide_image(bed.node(1), image)
    namespace = Namespace(Cluster(str(bed.kubeconfig), str(tool("kubectl"))), "default")
    namespace.apply(POD.format(image=image.tag))

    def is_running() -> None:
        assert namespace.get("pod", "sleeper")["status"]["phase"] == "Running"

    namespace.wait_for(is_running)


def _traces() -> dict[str, set[str]]:
    """Everything of which a bed could leave something on the machine."""
    return {
        "mounts": set(Path("/proc/self/mountinfo").read_text().splitlines()),
        "interfaces": {path.name for path in Path("/sys/class/net").iterdir()},
        "cgroups": {str(path) for path in Path("/sys/fs/cgroup").glob("**/*second*")},
        "processes": {
            path.parent.name
            for path in Path("/proc").glob("[0-9]*/cgroup")
            if "stoker-bed-second" in _text(path)
        },
        "files": {
            str(path)
            for folder in ("/var/lib", "/run", "/run/netns", "/etc/cni", "/var/log")
            for path in Path(folder).glob("*")
        },
    }


def _text(path: Path) -> str:
    try:
        return path.read_text()
    except OSError:
        return ""  # it has ended meanwhile
