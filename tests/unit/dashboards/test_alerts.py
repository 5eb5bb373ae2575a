"""Each alert is told in a sentence, and has a page that says what to do about it."""

import re
from pathlib import Path

import pytest
import yaml

from support.grafana import ROOT

RUNBOOKS = ROOT / "docs/runbooks"
HEADINGS = ["What it means", "Where to look", "What to do"]
GROUPS = yaml.safe_load((ROOT / "charts/stoker/rules/stoker.yaml").read_text())["groups"]
ALERTS = {rule["alert"]: rule for group in GROUPS for rule in group["rules"] if "alert" in rule}


def test_there_is_a_page_for_each_alert_and_for_no_other() -> None:
    pages = {page.stem for page in RUNBOOKS.glob("*.md")} - {"README"}
    assert pages == ALERTS.keys()


@pytest.mark.parametrize("name", ALERTS)
def test_its_page_says_what_to_do(name: str) -> None:
    text = (RUNBOOKS / f"{name}.md").read_text()
    assert re.findall("^## (.*)$", text, re.MULTILINE) == HEADINGS
    assert text.startswith(f"# {name}\n\nSeverity: {ALERTS[name]['labels']['severity']}.\n")


@pytest.mark.parametrize("name", ALERTS)
def test_it_leads_to_its_page(name: str) -> None:
    assert ALERTS[name]["annotations"]["runbook_url"] == f"docs/runbooks/{name}.md"


@pytest.mark.parametrize("page", sorted(RUNBOOKS.glob("*.md")), ids=lambda page: page.stem)
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text()):
        assert (page.parent / link).exists(), link


def test_all_are_listed() -> None:
    listed = re.findall(r"^\| \[(\w+)\]", (RUNBOOKS / "README.md").read_text(), re.MULTILINE)
    assert sorted(listed) == sorted(ALERTS)
