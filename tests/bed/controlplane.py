"""The control plane of a bed: etcd, the API server, its controllers, the scheduler, cluster DNS."""

import socket
import subprocess
import sys
from pathlib import Path

from bed import audit
from bed.certificates import make_authority, make_certificate
from bed.kubernetes import API_PORT, kubeconfig, program
from bed.layout import API_SERVICE_ADDRESS, CLUSTER_DOMAIN, SERVICE_NETWORK, Bed
from bed.machine import inside, make_machine
from bed.processes import Program, running, start, wait_for
from bed.tools import tool

# The user and group names are those that the built-in roles of Kubernetes are bound to.
CLIENTS = {
    "admin": ("stoker-bed-admin", "system:masters"),
    "controller-manager": ("system:kube-controller-manager", ""),
    "scheduler": ("system:kube-scheduler", ""),
    "kube-proxy": ("system:kube-proxy", ""),
}
API_SERVER_NAMES = (
    "localhost",
    "kubernetes.default.svc",
    f"kubernetes.default.svc.{CLUSTER_DOMAIN}",
)

# No name outside the cluster can be reached: saying at once that there is none beats a time-out.
COREFILE = """\
{domain} in-addr.arpa {{
    bind {bed.control_plane.address}
    errors
    kubernetes {domain} in-addr.arpa {{
        kubeconfig {bed.pki}/admin.kubeconfig
        ttl 5
    }}
}}
. {{
    bind {bed.control_plane.address}
    template ANY ANY {{
        rcode NXDOMAIN
    }}
}}
"""


def make_credentials(bed: Bed) -> None:
    """Makes all certificates of the control plane, unless they are there."""
    if bed.pki.exists():
        return
    make_authority(bed.pki)
    addresses = ("127.0.0.1", bed.control_plane.address, API_SERVICE_ADDRESS)
    names = (*(f"DNS:{name}" for name in API_SERVER_NAMES), *(f"IP:{ip}" for ip in addresses))
    make_certificate(bed.pki, "apiserver", "kube-apiserver", addresses=names)
    for name, (user, group) in CLIENTS.items():
        make_certificate(bed.pki, name, user, group)
        (bed.pki / f"{name}.kubeconfig").write_text(kubeconfig(bed, name))


def start_api_server(bed: Bed) -> None:
    """Starts etcd and the API server, and returns when it is ready."""
    make_machine(bed.control_plane)
    audit.write_policy(bed)
    for name, argv in (("etcd", _etcd(bed)), ("kube-apiserver", _api_server(bed))):
        _start(bed, name, argv)
    _open_way_in(bed)
    wait_for(bed, "kube-apiserver", lambda: is_ready(bed), "a ready API server", seconds=60)


def start_controllers(bed: Bed) -> None:
    """Starts the controller manager and the scheduler."""
    _start(bed, "kube-controller-manager", _controller_manager(bed))
    _start(bed, "kube-scheduler", _scheduler(bed))


def start_dns(bed: Bed) -> None:
    """Starts cluster DNS: CoreDNS as a plain program, that pods ask at its address."""
    corefile = bed.control_plane.folder / "Corefile"
    corefile.write_text(COREFILE.format(domain=CLUSTER_DOMAIN, bed=bed))
    argv = [str(tool("coredns")), f"-conf={corefile}"]
    start(bed, Program("coredns", inside(bed.control_plane, argv)))


def is_ready(bed: Bed) -> bool:
    """Whether the API server answers that it is ready, as seen from outside the bed."""
    return kubectl(bed, "get", "--raw", "/readyz").returncode == 0


def kubectl(bed: Bed, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    """Runs kubectl against the bed."""
    command = [program("kubectl"), "--kubeconfig", str(bed.kubeconfig), *arguments]
    return subprocess.run(
        command, input=stdin, capture_output=True, text=True, check=False, timeout=60
    )


def _start(bed: Bed, name: str, argv: list[str]) -> None:
    start(bed, Program(name, inside(bed.control_plane, [program(name), *argv])))


def _open_way_in(bed: Bed) -> None:
    """Makes the API server reachable at a free loopback port of the real machine.

    The port is opened out here and handed to a small forwarder that runs in the control plane's
    network: a socket stays in the network that it was made in.
    """
    if running(bed, "way-in") is not None:
        return
    with socket.create_server(("127.0.0.1", 0)) as listener:
        forwarder = [sys.executable, str(Path(__file__).with_name("forward.py"))]
        target = (str(listener.fileno()), bed.control_plane.address, str(API_PORT))
        argv = inside(bed.control_plane, [*forwarder, *target])
        start(bed, Program("way-in", argv), inherited=[listener.fileno()])
        url = f"https://127.0.0.1:{listener.getsockname()[1]}"
    bed.kubeconfig.touch(mode=0o600)
    bed.kubeconfig.write_text(kubeconfig(bed, "admin", url))


def _etcd(bed: Bed) -> list[str]:
    return [
        f"--data-dir={bed.control_plane.folder}/etcd",
        "--listen-client-urls=http://127.0.0.1:2379",
        "--advertise-client-urls=http://127.0.0.1:2379",
        "--listen-peer-urls=http://127.0.0.1:2380",
        "--log-level=warn",
        # Nobody misses the data of a bed after a power cut.
        "--unsafe-no-fsync",
    ]


def _api_server(bed: Bed) -> list[str]:
    pki = bed.pki
    return [
        "--etcd-servers=http://127.0.0.1:2379",
        f"--advertise-address={bed.control_plane.address}",
        f"--secure-port={API_PORT}",
        f"--tls-cert-file={pki}/apiserver.crt",
        f"--tls-private-key-file={pki}/apiserver.key",
        f"--client-ca-file={pki}/ca.crt",
        f"--service-account-issuer=https://kubernetes.default.svc.{CLUSTER_DOMAIN}",
        f"--service-account-key-file={pki}/service-account.key",
        f"--service-account-signing-key-file={pki}/service-account.key",
        f"--service-cluster-ip-range={SERVICE_NETWORK}",
        "--authorization-mode=Node,RBAC",
        "--enable-admission-plugins=NodeRestriction",
        "--allow-privileged=true",
        f"--kubelet-certificate-authority={pki}/ca.crt",
        f"--kubelet-client-certificate={pki}/admin.crt",
        f"--kubelet-client-key={pki}/admin.key",
        # The names of nodes are in no DNS: without this `kubectl logs` looks them up in vain.
        "--kubelet-preferred-address-types=InternalIP",
        *audit.flags(bed),
    ]


def _controller_manager(bed: Bed) -> list[str]:
    return [
        f"--kubeconfig={bed.pki}/controller-manager.kubeconfig",
        f"--root-ca-file={bed.pki}/ca.crt",
        f"--service-account-private-key-file={bed.pki}/service-account.key",
        "--use-service-account-credentials=true",
        # Every start would wait for the lease of the last one to run out.
        "--leader-elect=false",
    ]


def _scheduler(bed: Bed) -> list[str]:
    return [f"--kubeconfig={bed.pki}/scheduler.kubeconfig", "--leader-elect=false"]
