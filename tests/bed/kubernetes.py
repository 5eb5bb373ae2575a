"""Kubernetes and etcd, compiled from their Go modules into one program with many names."""

import functools
import json
from base64 import b64encode
from pathlib import Path

from bed.golang import built_module
from bed.layout import Bed

VERSION = "1.35.4"
PROGRAMS = (
    "etcd",
    "kube-apiserver",
    "kube-controller-manager",
    "kube-proxy",
    "kube-scheduler",
    "kubectl",
    "kubelet",
)

API_PORT = 6443


@functools.cache
def program(name: str) -> str:
    """The path of one of `PROGRAMS`, compiled when it is asked for the first time."""
    major, minor, _ = VERSION.split(".")
    facts = {"gitVersion": f"v{VERSION}", "gitMajor": major, "gitMinor": minor}
    packages = ("k8s.io/component-base/version", "k8s.io/client-go/pkg/version")
    ldflags = (f"-X {package}.{key}={facts[key]}" for package in packages for key in facts)
    return str(built_module("kubernetes", " ".join(ldflags), links=PROGRAMS) / name)


def kubeconfig(bed: Bed, certificate: str, server: str = "") -> str:
    """A kubeconfig for the owner of the certificate; by default for use inside the bed."""
    user = {
        "client-certificate-data": _encoded(bed.pki / f"{certificate}.crt"),
        "client-key-data": _encoded(bed.pki / f"{certificate}.key"),
    }
    cluster = {
        "server": server or f"https://{bed.control_plane.address}:{API_PORT}",
        "certificate-authority-data": _encoded(bed.pki / "ca.crt"),
    }
    name = f"stoker-{bed.name}"
    config = {
        "apiVersion": "v1",
        "kind": "Config",
        "clusters": [{"name": name, "cluster": cluster}],
        "users": [{"name": certificate, "user": user}],
        "contexts": [{"name": name, "context": {"cluster": name, "user": certificate}}],
        "current-context": name,
    }
    return json.dumps(config, indent=2)


def _encoded(file: Path) -> str:
    return b64encode(file.read_bytes()).decode()
