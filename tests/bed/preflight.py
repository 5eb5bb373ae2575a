"""What a machine has to offer before a bed can be made on it."""

import os
import platform
import shutil
import subprocess
from pathlib import Path

from bed.cache import cache_root
from bed.errors import BedError
from bed.layout import BEDS

TOOLS = {
    "nsenter": "util-linux",
    "unshare": "util-linux",
    "ip": "iproute2",
    "openssl": "openssl",
}
# The images, and the unpacked copies of two nodes. A first build takes more, and says so itself.
NEEDED_BYTES = 4 * 1024**3


def check_system() -> None:
    """Raises BedError where no bed can even be looked for."""
    if platform.system() != "Linux":
        raise BedError(
            "the test bed runs containers without a virtual machine, which needs Linux; on another "
            "system, use any cluster: KUBECONFIG=… make cluster-test"
        )
    if os.geteuid() != 0:
        raise BedError("the test bed makes namespaces, mounts and cgroups: run it as root (sudo)")


def check_machine() -> None:
    """Raises BedError, saying what to do, on a machine where no bed can be made."""
    for tool, package in TOOLS.items():
        if shutil.which(tool) is None:
            raise BedError(f"{tool} is missing: install the package {package}")
    _check_namespaces()
    _check_bridge_filter()
    for folder in (cache_root(), BEDS):
        _check_space(folder)


def _check_namespaces() -> None:
    probe = "ip link add probe type bridge && mount -t tmpfs probe /run"
    command = ["unshare", "--mount", "--net", "--uts", "sh", "-c", probe]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(
            "this machine lets even root make no network or mount namespace with a bridge in it, "
            f"as in a container that is not privileged: {done.stderr.strip()}"
        )


def _check_bridge_filter() -> None:
    """Without it, traffic between two pods of one node would pass by kube-proxy's rules."""
    setting = Path("/proc/sys/net/bridge/bridge-nf-call-iptables")
    if not setting.exists() and shutil.which("modprobe"):
        subprocess.run(["modprobe", "br_netfilter"], capture_output=True, check=False)
    if not setting.exists():
        raise BedError("the kernel module br_netfilter is missing: modprobe br_netfilter")


def _check_space(folder: Path) -> None:
    existing = next(path for path in (folder, *folder.parents) if path.exists())
    free = shutil.disk_usage(existing).free
    if free < NEEDED_BYTES:
        raise BedError(
            f"{free / 1024**3:.1f} GiB are free at {folder}, and a bed may need "
            f"{NEEDED_BYTES / 1024**3:.0f} GiB: make room, or set XDG_CACHE_HOME to a roomier disk"
        )
