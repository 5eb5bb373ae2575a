"""Where the parts of a bed are: its folder, its machines, their addresses.

Each bed has network namespaces of its own with no way out, so that every bed can use the same
addresses.
"""

import re
from dataclasses import dataclass
from pathlib import Path

from bed.errors import BedError

BEDS = Path("/var/lib/stoker-bed")

POD_NETWORK = "10.89.0.0/16"
SERVICE_NETWORK = "10.90.0.0/16"
API_SERVICE_ADDRESS = "10.90.0.1"
CLUSTER_DOMAIN = "cluster.local"


@dataclass(frozen=True)
class Bed:
    """One test bed, known by its name; several can be up at once."""

    name: str

    def __post_init__(self) -> None:
        if not re.fullmatch("[a-z0-9-]{1,30}", self.name):
            raise BedError(f"{self.name!r} is no name for a bed: use a-z, 0-9 and -, at most 30")

    @property
    def folder(self) -> Path:
        return BEDS / self.name

    @property
    def pki(self) -> Path:
        return self.folder / "pki"

    @property
    def kubeconfig(self) -> Path:
        """For people and tests, from outside: it points at a loopback port of this machine."""
        return self.folder / "kubeconfig"

    @property
    def cgroup(self) -> str:
        return f"stoker-bed-{self.name}"

    @property
    def control_plane(self) -> "Machine":
        return Machine(self, "control-plane", 1)

    def node(self, number: int) -> "Machine":
        return Machine(self, f"node-{number}", 10 + number)

    def nodes(self) -> list["Machine"]:
        """The nodes that were made, whether or not they are up."""
        numbers = sorted(
            int(path.name.removeprefix("node-")) for path in self.folder.glob("node-*")
        )
        return [self.node(number) for number in numbers]


@dataclass(frozen=True)
class Machine:
    """A pretended machine of a bed: its own network, mounts and host name (see `machine.py`)."""

    bed: Bed
    name: str
    host: int

    @property
    def folder(self) -> Path:
        return self.bed.folder / self.name

    @property
    def address(self) -> str:
        return f"10.88.0.{self.host}"

    @property
    def pod_network(self) -> str:
        return f"10.89.{self.host}.0/24"

    @property
    def cgroup(self) -> str:
        """Where the kubelet of this machine puts its pods."""
        return f"{self.bed.cgroup}/{self.name}"
