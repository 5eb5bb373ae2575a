"""A bed from nothing to ready, and back to nothing."""

import json
import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress

from bed import debian, kubernetes
from bed.cache import cache_root, locked
from bed.cgroup import kill_all, remove_cgroup
from bed.controlplane import (
    kubectl,
    make_credentials,
    start_api_server,
    start_controllers,
    start_dns,
)
from bed.images import Image, pause_image
from bed.layout import BEDS, Bed
from bed.node import provide_image, start_node, wait_ready
from bed.preflight import check_machine, check_system
from bed.processes import running, started_names
from bed.progress import step
from bed.tools import tool

MEMORY_FOR_TWO_NODES = 6 * 1024**3


def up(bed: Bed, nodes: int) -> bool:
    """Brings up what is not up yet, 0 nodes being a control plane alone; whether there was any."""
    with _alone_with(bed):
        if _is_up(bed, nodes):
            return False
        check_machine()
        _prepare(nodes)
        _up_control_plane(bed)
        _up_nodes(bed, nodes)
    return True


def default_nodes() -> int:
    """Two, so that one can be lost; one where memory is short."""
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    return 2 if memory >= MEMORY_FOR_TWO_NODES else 1


def down(bed: Bed) -> None:
    """Leaves no process, namespace, mount, cgroup or file of the bed."""
    with _alone_with(bed):
        with step("processes, with their namespaces and mounts"):
            kill_all(bed.cgroup)
        with step("cgroups"):
            remove_cgroup(bed.cgroup)
        if bed.folder.exists():
            with step("files"):
                shutil.rmtree(bed.folder)
        with suppress(OSError):  # other beds are in it, or it was never there
            BEDS.rmdir()


def state_of(bed: Bed) -> dict[str, int | None]:
    """Each program that was started, and its pid while it runs."""
    return {name: running(bed, name) for name in started_names(bed)}


def provide(bed: Bed, image: Image) -> None:
    """Makes the image known to every node of the bed."""
    for node in bed.nodes():
        provide_image(node, image)


def _is_up(bed: Bed, nodes: int) -> bool:
    state = state_of(bed)
    wanted = {f"{bed.node(number).name}.kubelet" for number in range(1, nodes + 1)}
    if not all(state.values()) or not {"kube-scheduler", *wanted} <= set(state):
        return False
    answer = kubectl(bed, "get", "nodes", "--output=json")
    return answer.returncode == 0 and all(map(_is_ready, json.loads(answer.stdout)["items"]))


def _is_ready(node: dict[str, dict[str, list[dict[str, str]]]]) -> bool:
    conditions = {found["type"]: found["status"] for found in node["status"]["conditions"]}
    return conditions.get("Ready") == "True"


def _prepare(nodes: int) -> None:
    """Fills the cache: what takes minutes the first time, and nothing at all later."""
    with step(f"compiled: Kubernetes {kubernetes.VERSION}, etcd"):
        kubernetes.program("kube-apiserver")
    if nodes:
        with step("compiled: CoreDNS"):
            tool("coredns")
        with step("unpacked: containerd, runc, CNI plugins, nft"):
            debian.unpacked(debian.NODE)
        with step("built: the pause image"):
            pause_image()


def _up_control_plane(bed: Bed) -> None:
    bed.folder.mkdir(parents=True, exist_ok=True)
    with step("certificates"):
        make_credentials(bed)
    with step("started: etcd, API server"):
        start_api_server(bed)
    with step("started: controllers, scheduler"):
        start_controllers(bed)


def _up_nodes(bed: Bed, count: int) -> None:
    nodes = [bed.node(number) for number in range(1, count + 1)]
    if nodes:
        with step("started: cluster DNS"):
            start_dns(bed)
    for node in nodes:
        with step(f"started: {node.name} with containerd, kubelet, kube-proxy"):
            start_node(node)
    for node in nodes:
        with step(f"Ready: {node.name}"):
            wait_ready(node)


@contextmanager
def _alone_with(bed: Bed) -> Iterator[None]:
    check_system()
    locks = cache_root() / "locks"
    locks.mkdir(parents=True, exist_ok=True)
    with locked(locks / bed.name):
        yield
