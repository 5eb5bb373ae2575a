"""Programs that tests and people use beside the bed; made when they are asked for."""

from collections.abc import Callable
from pathlib import Path

from bed import debian, kubernetes
from bed.golang import installed_program

KWOK = ("sigs.k8s.io/kwok", "v0.8.0")

TOOLS: dict[str, Callable[[], Path]] = {
    "coredns": lambda: installed_program("github.com/coredns/coredns", "v1.15.0"),
    "helm": lambda: installed_program("helm.sh/helm/v4/cmd/helm", "v4.3.1"),
    "kubectl": lambda: Path(kubernetes.program("kubectl")),
    "kwok": lambda: installed_program(f"{KWOK[0]}/cmd/kwok", KWOK[1]),
    "prometheus": lambda: debian.unpacked(debian.PROMETHEUS) / "usr/bin/prometheus",
    "promtool": lambda: debian.unpacked(debian.PROMETHEUS) / "usr/bin/promtool",
}


def tool(name: str) -> Path:
    """The path of one of `TOOLS`."""
    return TOOLS[name]()
