"""Network policies that bite: the bed's own network plugin knows nothing of them."""

import os
from functools import partial

from bed import debian
from bed.golang import built_module
from bed.layout import SERVICE_NETWORK, Bed
from bed.machine import inside
from bed.processes import Program, log_of, start, wait_for
from bed.progress import step

TOOLS = ("iptables", "ipset")

# Where Debian's package is installed, its "alternatives" give the program these names.
IPTABLES = "/usr/sbin/xtables-nft-multi"
NAMES = ("iptables", "iptables-save", "iptables-restore")

WORKS = "Starting network policy controller full sync"


def enforce(bed: Bed) -> None:
    """From now on, for as long as the bed is up, its nodes hold pods to the policies there are."""
    with step("compiled: kube-router's network policies"):
        program = built_module("network-policies") / "network-policies"
    packages = debian.unpacked(TOOLS)
    links = bed.folder / "iptables"
    links.mkdir(exist_ok=True)
    for name in NAMES:
        if not (links / name).is_symlink():
            (links / name).symlink_to(IPTABLES)
    path = {"PATH": f"{links}:{os.environ['PATH']}"}
    for node in bed.nodes():
        argv = [
            str(program),
            f"--kubeconfig={bed.pki}/admin.kubeconfig",
            f"--node={node.name}",
            f"--services={SERVICE_NETWORK}",
        ]
        name = f"{node.name}.network-policies"
        start(bed, Program(name, inside(node, debian.with_packages(packages, argv)), path))
        wait_for(bed, name, partial(_works, bed, name), f"network policies on {node.name}", 60)


def _works(bed: Bed, name: str) -> bool:
    return WORKS in log_of(bed, name).read_text()
