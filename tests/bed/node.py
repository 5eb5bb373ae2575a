"""A node of a bed: containerd, kubelet and kube-proxy on a pretended machine."""

import json
import subprocess

from bed import debian
from bed.certificates import make_certificate
from bed.cgroup import make_cgroup
from bed.controlplane import kubectl
from bed.errors import BedError
from bed.images import Image, pause_image
from bed.kubernetes import kubeconfig, program
from bed.layout import CLUSTER_DOMAIN, POD_NETWORK, Machine
from bed.machine import inside, make_machine, path_in
from bed.processes import Program, start, wait_for

SOCKET = "/run/containerd/containerd.sock"


def start_node(node: Machine) -> None:
    """Starts the node's programs; it will be Ready a few seconds later."""
    make_cgroup(node.cgroup)
    make_machine(node, packages=debian.unpacked(debian.NODE))
    _write_configuration(node)
    _start_containerd(node)
    _start(node, "kubelet", _kubelet(node))
    _start(node, "kube-proxy", [f"--config={node.folder}/kube-proxy.json"])


def wait_ready(node: Machine) -> None:
    """Returns when the API server calls the node Ready."""
    path = "jsonpath={.status.conditions[?(@.type=='Ready')].status}"

    def ready() -> bool:
        return kubectl(node.bed, "get", "node", node.name, "-o", path).stdout == "True"

    wait_for(node.bed, f"{node.name}.kubelet", ready, f"a Ready {node.name}", seconds=90)


def provide_image(node: Machine, image: Image) -> None:
    """Makes the image known to the node, unless it is, as if it had been pulled."""
    if image.tag not in _ctr(node, "images", "list", "--quiet").splitlines():
        _ctr(node, "images", "import", str(image.archive))


def _start_containerd(node: Machine) -> None:
    name = f"{node.name}.containerd"
    argv = ["containerd", f"--config={node.folder}/containerd.toml"]
    start(node.bed, Program(name, inside(node, argv)))
    socket = path_in(node, SOCKET)
    wait_for(node.bed, name, socket.exists, f"the socket of containerd on {node.name}", seconds=30)
    provide_image(node, pause_image())


def _ctr(node: Machine, *arguments: str) -> str:
    command = inside(node, ["ctr", "--namespace=k8s.io", *arguments])
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise BedError(f"{node.name}: ctr {' '.join(arguments)}: {done.stderr.strip()}")
    return done.stdout


def _start(node: Machine, name: str, argv: list[str]) -> None:
    start(node.bed, Program(f"{node.name}.{name}", inside(node, [program(name), *argv])))


def _kubelet(node: Machine) -> list[str]:
    return [
        f"--config={node.folder}/kubelet.json",
        f"--kubeconfig={node.folder}/kubelet.kubeconfig",
        f"--hostname-override={node.name}",
        f"--node-ip={node.address}",
    ]


def _write_configuration(node: Machine) -> None:
    pki = node.bed.pki
    user, names = f"system:node:{node.name}", (f"DNS:{node.name}", f"IP:{node.address}")
    if not (pki / f"{node.name}.crt").exists():
        make_certificate(pki, node.name, user, "system:nodes", addresses=names)
    (node.folder / "cni").mkdir(exist_ok=True)
    files = {
        "kubelet.kubeconfig": kubeconfig(node.bed, node.name),
        "containerd.toml": _containerd_configuration(node),
        "kubelet.json": json.dumps(_kubelet_configuration(node), indent=2),
        "kube-proxy.json": json.dumps(_kube_proxy_configuration(node), indent=2),
        "cni/bridge.conflist": json.dumps(_pod_network(node), indent=2),
    }
    for name, content in files.items():
        file = node.folder / name
        # kube-proxy ends when its configuration is written again, even if nothing changed in it.
        if not file.exists() or file.read_text() != content:
            file.write_text(content)


def _containerd_configuration(node: Machine) -> str:
    return f"""\
version = 2
[plugins."io.containerd.grpc.v1.cri"]
  sandbox_image = "{pause_image().tag}"
  # Root of a container or a virtual machine may not be allowed to lower scores.
  restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
  bin_dir = "/usr/lib/cni"
  conf_dir = "{node.folder}/cni"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.runc]
  runtime_type = "io.containerd.runc.v2"
"""


def _kubelet_configuration(node: Machine) -> dict[str, object]:
    pki = node.bed.pki
    return {
        "kind": "KubeletConfiguration",
        "apiVersion": "kubelet.config.k8s.io/v1beta1",
        "address": node.address,
        "tlsCertFile": f"{pki}/{node.name}.crt",
        "tlsPrivateKeyFile": f"{pki}/{node.name}.key",
        "authentication": {
            "anonymous": {"enabled": False},
            "x509": {"clientCAFile": f"{pki}/ca.crt"},
        },
        "containerRuntimeEndpoint": f"unix://{SOCKET}",
        "clusterDNS": [node.bed.control_plane.address],
        "clusterDomain": CLUSTER_DOMAIN,
        # The real machine's name servers are out of reach from here.
        "resolvConf": "",
        "cgroupDriver": "cgroupfs",
        "cgroupRoot": f"/{node.cgroup}",
        "failCgroupV1": False,
        "failSwapOn": False,
        "enforceNodeAllocatable": [],
        "makeIPTablesUtilChains": False,
        # A full disk of the machine outside is not the bed's to clean up: by default the kubelet
        # would delete the images that were imported, and evict pods.
        "imageGCHighThresholdPercent": 100,
        "evictionHard": {
            "memory.available": "100Mi",
            "nodefs.available": "0%",
            "nodefs.inodesFree": "0%",
            "imagefs.available": "0%",
        },
    }


def _kube_proxy_configuration(node: Machine) -> dict[str, object]:
    return {
        "kind": "KubeProxyConfiguration",
        "apiVersion": "kubeproxy.config.k8s.io/v1alpha1",
        "clientConnection": {"kubeconfig": f"{node.bed.pki}/kube-proxy.kubeconfig"},
        "hostnameOverride": node.name,
        "mode": "nftables",
        "clusterCIDR": POD_NETWORK,
        # Limits of connection tracking belong to the machine outside, and are not ours to set.
        "conntrack": {"maxPerCore": 0},
    }


def _pod_network(node: Machine) -> dict[str, object]:
    bridge = {
        "type": "bridge",
        "bridge": "pods",
        "isGateway": True,
        # A pod reaches itself through its own Service.
        "hairpinMode": True,
        "ipam": {
            "type": "host-local",
            "ranges": [[{"subnet": node.pod_network}]],
            "routes": [{"dst": "0.0.0.0/0"}],
        },
    }
    return {"cniVersion": "0.4.0", "name": "pods", "plugins": [bridge]}
