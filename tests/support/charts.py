"""The chart, and its objects as the real helm renders them."""

import json
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path

import yaml

from bed import tools
from support.manifests import Json

CHART = Path(__file__).parents[2] / "charts/stoker"

RELEASE = "in-tests"
"""Of what stories have without an installation; nobody who installs the chart calls it so."""

SIDECAR_TEMPLATES = ("sidecar-role", "sidecar-admission")


class HelmError(AssertionError):
    """helm failed, with what it said."""


def helm(*arguments: str, stdin: str = "", seconds: float = 60) -> str:
    """What helm printed."""
    done = subprocess.run(
        [tools.tool("helm"), *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        check=False,
        timeout=seconds,
    )
    if done.returncode != 0:
        raise HelmError(f"helm {' '.join(arguments)}: {done.stderr.strip()}\n{done.stdout}")
    return done.stdout


@dataclass(frozen=True)
class Rendering:
    """What `helm template` is asked for."""

    values: Json = field(default_factory=dict)
    templates: Sequence[str] = ()
    """By name; all of them unless given."""
    release: str = "stoker"
    namespace: str = "stoker-system"

    def text(self, *options: str) -> str:
        shown = (f"--show-only=templates/{name}.yaml" for name in self.templates)
        where = (self.release, str(CHART), f"--namespace={self.namespace}", "--values=-")
        return helm("template", *where, *shown, *options, stdin=json.dumps(self.values))

    def objects(self, *options: str) -> list[Json]:
        documents = yaml.load_all(self.text(*options), yaml.CSafeLoader)
        return [each for each in documents if each]


def rendered(templates: Sequence[str] = (), values: Json | None = None) -> list[Json]:
    """The objects of these templates, as stories have them."""
    return Rendering(values or {}, templates, RELEASE).objects()


@cache
def sidecar_rights() -> tuple[Json, ...]:
    """What a sidecar may do: the ClusterRole, and the policy that holds it to its own pod."""
    return tuple(rendered(SIDECAR_TEMPLATES))


def sidecar_role() -> str:
    """The name of that ClusterRole."""
    (name,) = [
        each["metadata"]["name"] for each in sidecar_rights() if each["kind"] == "ClusterRole"
    ]
    return str(name)
