"""Dashboards are whole, and ask only for what is measured."""

import re
from itertools import combinations

import pytest

from support.grafana import DASHBOARDS, ROOT, dashboard, panels, questions, variables
from support.manifests import Json

# What Prometheus says of the scrape itself, and what histograms and summaries are made of.
_PART = re.compile(r"_(bucket|count|sum)$")
_SERIES = re.compile(r"\bstoker_(?!dev_)\w+")
_LISTED = re.compile(r"^\| `(stoker_\w+)` \|", re.MULTILINE)


def measured() -> set[str]:
    """Every series that docs/metrics.md lists, which is made from what programs register."""
    return set(_LISTED.findall((ROOT / "docs/metrics.md").read_text()))


def asked_for(expression: str) -> set[str]:
    names = _SERIES.findall(expression)
    return {name if name in measured() else _PART.sub("", name) for name in names}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_nothing_is_asked_for_that_is_not_measured(name: str) -> None:
    selectors = [selector for selector, _ in variables(name).values()]
    expressions = [*(each.expression for each in questions(name)), *selectors]
    assert {series for each in expressions for series in asked_for(each)} - measured() == set()


def test_everything_that_is_measured_of_models_is_shown() -> None:
    shown = {
        series for name in DASHBOARDS for each in questions(name)
        for series in asked_for(each.expression)
    }  # fmt: skip
    about_the_operator = {
        each for each in measured() if each.startswith(("stoker_queue_", "stoker_known_"))
    }
    assert measured() - shown - about_the_operator == {
        "stoker_hot",  # what it tells is among the states
        "stoker_reconcile_errors_total",  # queue_retrying tells what has not been put right
    }


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_in_a_question_is_one_of_the_dashboards(name: str) -> None:
    grafanas = {"__interval", "__range", "__rate_interval"}
    used = {found for each in questions(name) for found in re.findall(r"\$(\w+)", each.expression)}
    assert used - grafanas <= variables(name).keys()
    assert variables(name).keys() <= used | {"namespace"}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_panel_says_what_it_tells(name: str) -> None:
    for panel in panels(name):
        assert panel["description"].endswith((".", ")")), panel["title"]
        assert panel["targets"], panel["title"]


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_have_one_number(name: str) -> None:
    numbers = [panel["id"] for panel in dashboard(name)["panels"]]
    assert len(numbers) == len(set(numbers))


@pytest.mark.parametrize("name", DASHBOARDS)
def test_no_two_panels_are_in_one_place(name: str) -> None:
    for one, other in combinations(dashboard(name)["panels"], 2):
        assert not overlap(one["gridPos"], other["gridPos"]), (one["title"], other["title"])
    assert max(p["gridPos"]["x"] + p["gridPos"]["w"] for p in dashboard(name)["panels"]) == 24


def overlap(one: Json, other: Json) -> bool:
    beside = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
    above = one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
    return not beside and not above


def test_the_source_of_data_is_the_readers_choice() -> None:
    for name in DASHBOARDS:
        chosen = dashboard(name)["templating"]["list"][0]
        assert (chosen["name"], chosen["type"]) == ("datasource", "datasource")
        for panel in panels(name):
            assert panel["datasource"]["uid"] == "${datasource}"
            assert {each["datasource"]["uid"] for each in panel["targets"]} == {"${datasource}"}
