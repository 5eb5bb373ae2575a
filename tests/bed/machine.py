"""Pretended machines: a process that holds a network, a mount and a host name namespace.

Nothing of them has a name on the real machine. When their last process ends, the kernel takes the
interfaces, routes and mounts away with it, so that there is nothing to leave behind.
"""

import signal
import socket
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from bed.cgroup import make_cgroup
from bed.debian import overlaid
from bed.errors import BedError
from bed.layout import Machine
from bed.processes import Program, running, start, stop, wait_for

BRIDGE = "machines"

# What programs keep in fixed places goes to the machine's own folder, so that two kubelets do not
# meet. The mounts are shared inside, as kubelet and containerd expect, and unseen from outside.
SETUP = """
hostname "$NAME"
mount -t tmpfs machine /run
mkdir /run/bed
mount --bind "$BED" /run/bed
mount -t tmpfs machine /var/lib
mkdir -p "$BED" /var/lib/kubelet /var/lib/containerd
mount --move /run/bed "$BED"
mount --bind "$FOLDER/kubelet" /var/lib/kubelet
mount --bind "$FOLDER/containerd" /var/lib/containerd
mount --bind "$FOLDER/log" /var/log
mount --make-rshared /
ip link set lo up
exec sleep infinity
"""

CONTROL_PLANE_NETWORK = """
ip link add {bridge} type bridge
ip link set {bridge} up
ip address add {address}/24 dev {bridge}
"""

# The default route leads to the control plane, which forwards nothing: service addresses need a
# route to be sent at all, before kube-proxy's rules turn them into pod addresses.
NODE_NETWORK = """
ip link set eth0 up
ip address add {address}/24 dev eth0
ip route add default via {gateway}
echo 1 >/proc/sys/net/ipv4/ip_forward
echo 1 >/proc/sys/net/bridge/bridge-nf-call-iptables
"""

LISTEN = """
import socket, sys
listener = socket.create_server((sys.argv[1], 0))
socket.send_fds(socket.socket(fileno=int(sys.argv[2])), [b"."], [listener.fileno()])
"""


def make_machine(machine: Machine, packages: Path | None = None) -> None:
    """Makes the machine, unless it is there, with packages that only it has installed."""
    if is_up(machine):
        return
    make_cgroup(f"{machine.bed.cgroup}/programs")
    try:
        _hold_namespaces(machine, overlaid(packages, "usr") if packages else "")
        if machine == machine.bed.control_plane:
            run_in(machine, CONTROL_PLANE_NETWORK.format(bridge=BRIDGE, address=machine.address))
        else:
            _connect(machine)
    except BaseException:
        # A machine that is there is taken for whole by the next `up`.
        stop(machine.bed, _holder_name(machine), signal.SIGKILL)
        raise


def is_up(machine: Machine) -> bool:
    """Whether the machine's namespaces are there."""
    return running(machine.bed, _holder_name(machine)) is not None


def inside(machine: Machine, argv: Sequence[str]) -> list[str]:
    """The command that runs `argv` in the machine."""
    target = f"--target={_holder_pid(machine)}"
    return ["nsenter", target, "--mount", "--net", "--uts", "--wd=/", "--", *argv]


def path_in(machine: Machine, path: str) -> Path:
    """Where the real machine sees a path of the machine."""
    return Path(f"/proc/{_holder_pid(machine)}/root{path}")


def run_in(machine: Machine, script: str) -> None:
    """Runs shell commands in the machine."""
    command = inside(machine, ["sh", "-euc", script])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"{machine.name}: {done.stderr.strip()}, in:\n{script.strip()}")


def listen(machine: Machine) -> socket.socket:
    """A listening socket on a free port of the machine, for a server in this process.

    A socket stays in the network that it was made in. One made inside and handed out lets a test
    serve the pods of the bed, which reach nothing outside it.
    """
    ours, theirs = socket.socketpair()
    with ours, theirs:
        make = [sys.executable, "-c", LISTEN, machine.address, str(theirs.fileno())]
        subprocess.run(inside(machine, make), pass_fds=[theirs.fileno()], check=True)
        _, descriptors, _, _ = socket.recv_fds(ours, 1, 1)
    return socket.socket(fileno=descriptors[0])


def unplug(node: Machine) -> None:
    """Cuts the node off from the others, as a pulled cable would."""
    run_in(node.bed.control_plane, f"ip link set {_link(node)} down")


def plug(node: Machine) -> None:
    """Connects a node that was cut off."""
    run_in(node.bed.control_plane, f"ip link set {_link(node)} up")


def _hold_namespaces(machine: Machine, first: str) -> None:
    for folder in ("kubelet", "containerd", "log"):
        (machine.folder / folder).mkdir(parents=True, exist_ok=True)
    bed, name = machine.bed, _holder_name(machine)
    facts = {"NAME": machine.name, "FOLDER": str(machine.folder), "BED": str(bed.folder)}
    argv = ["unshare", "--mount", "--net", "--uts", "sh", "-ec", first + SETUP]
    pid = start(bed, Program(name, argv, facts))

    def set_up() -> bool:
        return _command_of(pid) == "sleep"

    wait_for(bed, name, set_up, f"the namespaces of {machine.name}", seconds=10)


def _command_of(pid: int) -> str:
    with suppress(ProcessLookupError, FileNotFoundError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


def _connect(node: Machine) -> None:
    """Joins the node to the control plane's bridge, and tells it and the others its pods' route."""
    control_plane = node.bed.control_plane
    link = _link(node)
    run_in(
        control_plane,
        f"ip link add {link} type veth peer name eth0 netns {_holder_pid(node)}\n"
        f"ip link set {link} master {BRIDGE} up\n",
    )
    run_in(node, NODE_NETWORK.format(address=node.address, gateway=control_plane.address))
    neighbours = [other for other in node.bed.nodes() if other != node and is_up(other)]
    for other in [control_plane, *neighbours]:
        run_in(other, f"ip route add {node.pod_network} via {node.address}")
    for other in neighbours:
        run_in(node, f"ip route add {other.pod_network} via {other.address}")


def _link(node: Machine) -> str:
    return f"to-{node.name}"


def _holder_pid(machine: Machine) -> int:
    pid = running(machine.bed, _holder_name(machine))
    if pid is None:
        raise BedError(f"the machine {machine.name} of bed {machine.bed.name!r} is not up")
    return pid


def _holder_name(machine: Machine) -> str:
    return f"{machine.name}.machine"
