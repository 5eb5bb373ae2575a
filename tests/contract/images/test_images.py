"""What is in the images, what is not, and that two builds make the same (docs/images.md)."""

import json
import logging
import re
import tomllib
from pathlib import Path

import pytest

from bed import images
from contract.images.archive import Archive
from contract.images.conftest import Built, own_files

_log = logging.getLogger(__name__)

ROOT = Path(__file__).parents[3]
SOURCES = {"operator": "operator", "sidecar": "sidecar", "simulator": "tests/simulator"}
MEGABYTE = 1_000_000
MOST_BYTES = {
    "operator": 60 * MEGABYTE,
    "sidecar": 6 * MEGABYTE,
    "simulator": 8 * MEGABYTE,
}
"""Over the base, unpacked. What is asked of them is 150 MB and 100 MB; they take far less."""

BILL = "opt/stoker/sbom.cdx.json"
BYTECODE_UNCHECKED = 0b01
"""The second word of a file of bytecode that is never held against its source."""


def test_an_image_takes_little_over_its_base(built: Built) -> None:
    size = sum(len(file.content) for file in built.files.values())
    _log.info("%s: %.1f MB over the base", built.target, size / MEGABYTE)
    assert size < MOST_BYTES[built.target]


def test_it_runs_as_an_ordinary_user_by_number(built: Built) -> None:
    # By number, because only so can the kubelet see that it is not root.
    user, _, group = built.archive.config["config"]["User"].partition(":")
    assert int(user) > 0
    assert int(group) > 0


def test_nothing_in_it_can_be_changed_by_who_runs_in_it(built: Built) -> None:
    for name, file in built.files.items():
        assert file.owner == 0, name
        assert file.is_link or not file.mode & 0o022, name
        assert not file.mode & 0o6000, name


def test_what_installs_is_not_in_it(built: Built) -> None:
    names = {name.partition("-")[0] for name in map(str, built.named(".dist-info"))}
    assert not names & {"pip", "setuptools", "wheel", "hatchling"}
    programs = [path.name for path in map(Path, built.files) if path.parent.name == "bin"]
    assert [name for name in programs if not re.match("python|stoker|ollama$", name)] == []


def test_all_of_it_is_under_one_folder(built: Built) -> None:
    # The others are where the builder puts what it needs for a step, empty.
    outside = {name: file for name, file in built.files.items() if not name.startswith("opt")}
    assert not any(file.content for file in outside.values()), outside


def test_every_module_has_its_bytecode_for_no_start_can_write_any(built: Built) -> None:
    sources = [path for path in built.named(".py") if "site-packages" in path.parts]
    assert sources
    for source in sources:
        (found,) = (
            name
            for name in built.files
            if name.startswith(f"{source.parent}/__pycache__/{source.stem}.cpython-")
        )
        assert built.files[found].content


def test_bytecode_is_not_held_against_times(built: Built) -> None:
    for name in map(str, built.named(".pyc")):
        flags = int.from_bytes(built.files[name].content[4:8], "little")
        assert flags == BYTECODE_UNCHECKED, name


def test_its_labels_say_what_it_is_and_of_which_version(built: Built) -> None:
    labels = built.archive.config["config"]["Labels"]
    project = tomllib.loads((ROOT / SOURCES[built.target] / "pyproject.toml").read_text())
    prefix = "org.opencontainers.image"
    assert labels[f"{prefix}.title"] == project["project"]["name"] == f"stoker-{built.target}"
    assert labels[f"{prefix}.version"] == project["project"]["version"]
    assert labels[f"{prefix}.description"]
    assert set(labels) >= {f"{prefix}.{each}" for each in ("revision", "source", "licenses")}


def test_its_bill_of_materials_lists_what_is_installed_and_nothing_else(built: Built) -> None:
    bill = json.loads(built.text(BILL))
    listed = {each["purl"] for each in bill["components"] if each["purl"].startswith("pkg:pypi/")}
    installed = set()
    for folder in built.named(".dist-info/METADATA"):
        head = built.text(str(folder)).partition("\n\n")[0]
        fields = dict(line.split(": ", 1) for line in head.splitlines() if ": " in line)
        name = re.sub("[-_.]+", "-", fields["Name"].lower())
        installed.add(f"pkg:pypi/{name}@{fields['Version']}")
    assert listed == installed
    assert f"pkg:pypi/stoker-{built.target}@{bill['metadata']['component']['version']}" in listed


def test_its_bill_of_materials_lists_the_packages_of_its_base(built: Built) -> None:
    base = Archive(images.base_image().archive)
    (layer,) = base.layers
    status = base.files(layer)["var/lib/dpkg/status"].content.decode()
    packages = set(re.findall("^Package: (.*)$", status, re.MULTILINE))
    bill = json.loads(built.text(BILL))
    found = {each["name"] for each in bill["components"] if each["purl"].startswith("pkg:deb/")}
    assert found == packages
    assert "python" in {each["name"] for each in bill["components"] if each["type"] == "platform"}


@pytest.mark.slow
def test_two_builds_from_nothing_make_the_same_image(built: Built, tmp_path: Path) -> None:
    images.build_project(built.target, "localhost/again:1", tmp_path, "--no-cache")
    again = Archive(tmp_path / "image.tar")
    files = own_files(again)
    assert sorted(files) == sorted(built.files)
    assert [name for name, file in files.items() if file != built.files[name]] == []
    assert again.layers == built.archive.layers
    assert again.config == built.archive.config
