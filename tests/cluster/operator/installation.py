"""An operator as people run it: a process of its own, with a token and few rights.

It runs on a node of the bed, because it asks sidecars at the addresses of their pods.
"""

import json
import os
import signal
import subprocess
import sys
import uuid
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from bed import machine
from bed.cluster import Cluster, Namespace, wait_for
from bed.kubernetes import API_PORT
from bed.layout import Bed
from cluster.operator.rights import granted, lease_role, service_account
from stoker_operator.desired import Settings
from support.charts import sidecar_role

ACCOUNT = "stoker-operator"
PROGRAM = (str(Path(sys.executable).with_name("stoker")), "operator")

# The names that pods know, and not those of the real machine, whose servers are out of reach.
WITH_NAMES = (
    *("unshare", "--mount", "sh", "-ec"),
    'mount --bind "$0" /etc/resolv.conf && exec "$@"',
)

START_SECONDS = 30
STOP_SECONDS = 20
TOKEN_LIFETIME = "24h"

# Asks an HTTP server that only a machine of the bed reaches, and prints status and answer.
ASK = """
import sys, urllib.error, urllib.request
try:
    answer = urllib.request.urlopen(sys.argv[1], timeout=5)
except urllib.error.HTTPError as error:
    answer = error
except OSError as error:
    sys.exit(str(error))
print(answer.status)
print(answer.read().decode(), end="")
"""


def resolver(bed: Bed, folder: Path) -> str:
    """A file that leads to the bed's DNS."""
    file = folder / "resolv.conf"
    file.write_text(f"nameserver {bed.control_plane.address}\n")
    return str(file)


class EndedError(Exception):
    """The operator has ended, and nobody asked it to: waiting longer is of no use."""


class Operator:
    """One process of `stoker operator`."""

    def __init__(self, bed: Bed, log: Path, arguments: Sequence[str]) -> None:
        self.log = log
        self._node = bed.nodes()[0]
        command = [*WITH_NAMES, resolver(bed, log.parent), *PROGRAM, *arguments]
        argv = machine.inside(self._node, command)
        with log.open("w") as output:
            self.process = subprocess.Popen(argv, stdout=output, stderr=subprocess.STDOUT)

    def until_leading(self, seconds: float = START_SECONDS) -> None:
        """Returns when it is ready, and no other replica leads."""
        __tracebackhide__ = True

        def leads() -> None:
            if self.process.poll() is not None:
                raise EndedError(f"the operator has ended:\n{self.tail()}")
            status, answer = self.ask("/readyz")
            assert status == 200, answer
            assert self.metric("stoker_operator_leader") == 1

        wait_for(leads, seconds)

    def metric(self, series: str) -> float:
        """What it measures, by the series' name with its labels."""
        _, text = self.ask("/metrics")
        values = dict(line.rsplit(" ", 1) for line in text.splitlines() if line[0] != "#")
        assert series in values, f"no series {series} in:\n{text}"
        return float(values[series])

    def ask(self, path: str) -> tuple[int, str]:
        """Status and body of its answer to a GET."""
        url = f"http://127.0.0.1:{self._port()}{path}"
        command = machine.inside(self._node, [sys.executable, "-c", ASK, url])
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
        assert done.returncode == 0, f"{url}: {done.stderr.strip()}"
        status, _, body = done.stdout.partition("\n")
        return int(status), body

    def _port(self) -> int:
        """Where it listens, as its log tells."""
        found = [line["port"] for line in self.lines() if "port" in line]
        assert found, f"it does not listen yet:\n{self.tail()}"
        return int(found[-1])

    def lines(self) -> list[dict[str, Any]]:
        """What it has logged by now."""
        lines = self.log.read_text().splitlines()
        return [json.loads(line) for line in lines if line.startswith("{") and line.endswith("}")]

    def tail(self, lines: int = 30) -> str:
        return "\n".join(self.log.read_text().splitlines()[-lines:])

    def resident_bytes(self) -> int:
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def stop(self) -> int:
        """Asks it to end; its exit status."""
        self.process.terminate()
        return self.process.wait(STOP_SECONDS)

    def kill(self) -> None:
        """Ends it without a word, as a machine that dies does."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL)
        self.process.wait(STOP_SECONDS)


@dataclass
class Installation:
    """The operators of one or more namespaces, with what they are and may do."""

    bed: Bed
    home: Namespace
    """Where the Lease is, and the operator's account."""
    folder: Path
    sidecar_image: str
    namespaces: Sequence[Namespace]
    operators: list[Operator] = field(default_factory=list)

    @property
    def settings(self) -> Settings:
        """What its operators make of LLMDeployments."""
        return Settings(self.sidecar_image, sidecar_cluster_role=sidecar_role())

    def prepare(self) -> None:
        """Makes the operator's account and gives it its rights."""
        lead = granted(ACCOUNT, self.home.name, kind="Role")
        self.home.apply(service_account(ACCOUNT), lease_role(), lead)
        for namespace in {each.name: each for each in [self.home, *self.namespaces]}.values():
            namespace.apply(granted(ACCOUNT, self.home.name))

    def start(self, *arguments: str, url: str = "") -> Operator:
        """A new operator; by way of `url`, or straight to the API server."""
        number = len(self.operators)
        operator = Operator(
            self.bed,
            self.folder / f"operator-{number}.log",
            [
                f"--kubeconfig={self._kubeconfig(url)}",
                *(f"--namespace={each.name}" for each in self.namespaces),
                f"--sidecar-image={self.sidecar_image}",
                f"--sidecar-cluster-role={sidecar_role()}",
                f"--lease-namespace={self.home.name}",
                "--listen=127.0.0.1:0",
                "--pod-addresses=reach",
                "--log-format=json",
                *arguments,
            ],
        )
        self.operators.append(operator)
        return operator

    def started(self, *arguments: str, url: str = "") -> Operator:
        """A new operator that leads."""
        operator = self.start(*arguments, url=url)
        operator.until_leading()
        return operator

    def started_again_if_ended(self) -> None:
        """As the kubelet does with an operator that could not keep its Lease."""
        if self.operators[-1].process.poll() is not None:
            self.started()

    def forget_the_leader(self) -> None:
        """Has nobody wait for the Lease of an operator that was killed to run out."""
        self.home.kubectl("delete", "leases", "--all")

    def kill_all(self) -> None:
        for operator in self.operators:
            operator.kill()

    def report(self) -> list[tuple[str, str]]:
        """The end of each operator's log, with a title."""
        logs = enumerate(each.tail(lines=60) for each in self.operators)
        return [(f"operator {number}", log) for number, log in logs]

    def _kubeconfig(self, url: str) -> Path:
        server = url or f"https://{self.bed.control_plane.address}:{API_PORT}"
        cluster = {"server": server, "certificate-authority": str(self.bed.pki / "ca.crt")}
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [{"name": "bed", "cluster": cluster}],
            "users": [{"name": ACCOUNT, "user": {"token": self._token()}}],
            "contexts": [{"name": "bed", "context": {"cluster": "bed", "user": ACCOUNT}}],
            "current-context": "bed",
        }
        file = self.folder / f"kubeconfig-{len(self.operators)}"
        file.touch(mode=0o600)
        file.write_text(json.dumps(config))
        return file

    def _token(self) -> str:
        lifetime = f"--duration={TOKEN_LIFETIME}"
        return self.home.kubectl("create", "token", ACCOUNT, lifetime).strip()


@contextmanager
def installed(
    bed: Bed, namespaces: Sequence[Namespace], folder: Path, sidecar_image: str
) -> Iterator[Installation]:
    """The rights to look after these namespaces; the first is the operator's own."""
    installation = Installation(bed, namespaces[0], folder, sidecar_image, namespaces)
    installation.prepare()
    try:
        yield installation
    finally:
        installation.kill_all()


@contextmanager
def fresh_namespace(cluster: Cluster, name: str) -> Iterator[Namespace]:
    """A namespace that is gone after the block."""
    full = f"{name}-{uuid.uuid4().hex[:6]}"
    cluster.kubectl("create", "namespace", full)
    cluster.kubectl("label", "namespace", full, "pod-security.kubernetes.io/enforce=restricted")
    try:
        yield Namespace(cluster, full)
    finally:
        cluster.kubectl("delete", "namespace", full, "--wait=false", "--ignore-not-found")
