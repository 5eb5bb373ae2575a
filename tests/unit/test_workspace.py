"""What must hold of the tree itself."""

import re
import subprocess
import sys
import tomllib
from pathlib import Path

import stoker_operator
import stoker_sidecar

ROOT = Path(__file__).parents[2]
MEMBERS = ("crds", "operator", "sidecar", "tests/simulator")


def test_the_folder_operator_shadows_nothing() -> None:
    """With an `__init__.py` it would be the module `operator`, and break Python itself."""
    for folder in (".", "bench", "demo", "tests", "tools"):  # of a script, Python's first place
        assert not list((ROOT / folder).glob("operator/__init__.py"))
        assert not list((ROOT / folder).glob("operator.py"))


def test_lock_files_name_no_host() -> None:
    for lock in (ROOT / "requirements").iterdir():
        assert "://" not in lock.read_text(), lock.name


def test_every_dependency_is_pinned_with_hashes() -> None:
    lock = (ROOT / "requirements/dev.txt").read_text()
    for requirement in re.split(r"\n(?=\S)", lock.strip()):
        assert re.match(r"[\w.\[\]-]+==\S+", requirement), requirement[:60]
        assert "--hash=sha256:" in requirement, requirement[:60]


def test_the_members_have_one_version() -> None:
    versions = {
        tomllib.loads((ROOT / member / "pyproject.toml").read_text())["project"]["version"]
        for member in MEMBERS
    }
    assert versions == {stoker_sidecar.VERSION} == {stoker_operator.VERSION}


def test_what_is_generated_is_up_to_date() -> None:
    subprocess.run([sys.executable, "-m", "tools.generate", "--check"], check=True, cwd=ROOT)


def test_make_alone_lists_every_target() -> None:
    makefile = (ROOT / "Makefile").read_text()
    targets = set(re.findall(r"^\.PHONY: (\S+)$", makefile, re.MULTILINE))
    listed = subprocess.check_output(["make", "-s", "-C", str(ROOT)], text=True)
    assert {line.split()[0] for line in listed.splitlines()} == targets


def test_links_in_the_documentation_lead_somewhere() -> None:
    for page in [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]:
        for target in re.findall(r"\]\(([^)#]+)[^)]*\)", page.read_text()):
            if "://" not in target:
                assert (page.parent / target).exists(), f"{page.name}: {target}"
