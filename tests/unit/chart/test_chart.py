"""The chart's own files agree with one another, and with the rest of the tree."""

import re
from pathlib import Path

import yaml

import stoker_operator

ROOT = Path(__file__).parents[3]
CHART = ROOT / "charts/stoker"
TEMPLATES = "".join(
    path.read_text() for path in (CHART / "templates").rglob("*.*") if path.name != "crd.yaml"
)


def test_its_version_is_the_programs() -> None:
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    assert (chart["version"], chart["appVersion"]) == (stoker_operator.VERSION,) * 2


def test_every_value_is_used() -> None:
    values = yaml.safe_load((CHART / "values.yaml").read_text())
    crd = (CHART / "templates/crd.yaml").read_text()
    for group, inner in values.items():
        names = (
            [f"{group}.{name}" for name in inner] if isinstance(inner, dict) and inner else [group]
        )
        for name in names:
            assert f".Values.{name}" in TEMPLATES + crd, name


def test_nothing_in_it_differs_from_one_rendering_to_the_next() -> None:
    """Argo and Flux would see a change in each."""
    actions = re.findall(r"{{.*?}}", re.sub(r"{{-? /\*.*?\*/}}", "", TEMPLATES, flags=re.DOTALL))
    words = {word for action in actions for word in re.findall(r"\w+", action)}
    assert words & {"IsInstall", "IsUpgrade", "Revision", "lookup", "now", "uuidv4"} == set()
    assert [word for word in words if word.startswith(("rand", "gen"))] == []
