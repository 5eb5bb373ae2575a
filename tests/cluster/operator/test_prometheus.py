"""Dashboards and alerts, asked of a real Prometheus after a day on which everything went wrong."""

import os
from collections.abc import Iterator
from pathlib import Path
from xml.etree import ElementTree as ET

import pytest
import yaml

from bed.cluster import Cluster
from bed.layout import Bed
from cluster.operator.bad_day import Cast, Day, bad_day
from cluster.operator.conftest import provided_with_gpu
from cluster.operator.installation import fresh_namespace, installed
from cluster.operator.monitoring import RULES, Prometheus, Series, prometheus
from stoker_sidecar.metrics import MOST_SERIES
from support.drawing import drawing
from support.drawing.shapes import Course
from support.grafana import (
    DASHBOARDS,
    Question,
    dashboard,
    panels,
    questions,
    substituted,
    variables,
)

STEP_SECONDS = 2

SHOWN = {"stoker-fleet": ".+", "stoker-model": "chat"}
"""What is picked at the top of each dashboard."""

NOT_IN_A_DAY = {"StokerPullStalled": "it looks for a quarter of an hour without a byte"}
"""Alerts that no run can wait for; that they fire is shown by promtool alone."""

IMAGES = Path(__file__).parents[3] / "docs/images"

ALERTS = {
    rule["alert"]: rule["expr"]
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


@pytest.fixture(scope="module")
def cast(
    bed: Bed,
    cluster: Cluster,
    tmp_path_factory: pytest.TempPathFactory,
    api: None,  # noqa: ARG001
    shared_gpus: None,  # noqa: ARG001
) -> Iterator[Cast]:
    """Who takes part in the day."""
    folder = tmp_path_factory.mktemp("day")
    server, sidecar = provided_with_gpu(bed)
    with (
        fresh_namespace(cluster, "day") as namespace,
        installed(bed, [namespace], folder, sidecar) as installation,
        prometheus(bed, folder) as running,
    ):
        yield Cast(bed, installation, running, server, sidecar)


@pytest.fixture(scope="module")
def day(cast: Cast) -> Day:
    try:
        return bad_day(cast)
    except AssertionError as error:
        raise AssertionError(f"{error}\n{cast.namespace.report()[-20000:]}") from error


def asked(prometheus: Prometheus, day: Day, question: Question) -> list[Series]:
    """What a dashboard shows in the evening."""
    expression = question.asked(day.values(SHOWN[question.dashboard]))
    if question.is_of_now:
        return prometheus.at(expression, day.evening)
    return prometheus.over(expression, day.began, day.evening, STEP_SECONDS)


@pytest.mark.slow
@pytest.mark.parametrize(
    "question",
    [each for name in DASHBOARDS for each in questions(name)],
    ids=lambda each: f"{each.dashboard}: {each.panel}: {each.legend}",
)
def test_every_expression_of_every_panel_returns_data(
    cast: Cast, day: Day, question: Question
) -> None:
    found = asked(cast.prometheus, day, question)
    assert found
    if question.counts_events:
        assert any(value > 0 for each in found for _, value in each.points)


@pytest.mark.slow
@pytest.mark.parametrize("name", DASHBOARDS)
def test_every_variable_has_values(cast: Cast, day: Day, name: str) -> None:
    for variable, (selector, label) in variables(name).items():
        expression = substituted(selector, day.values(SHOWN[name]))
        found = cast.prometheus.at(expression, day.evening)
        assert {each.labels.get(label) for each in found} - {None}, variable


@pytest.mark.slow
@pytest.mark.parametrize("alert", sorted(ALERTS.keys() - NOT_IN_A_DAY.keys()))
def test_every_alert_sees_the_fault_that_it_is_about(cast: Cast, day: Day, alert: str) -> None:
    """As soon as it does it is pending; for how long it has to last is promtool's business."""
    all_day = f"{int(day.ended - day.began)}s"
    told = f'max_over_time(ALERTS{{alertname="{alert}"}}[{all_day}])'
    assert cast.prometheus.at(told, day.ended), ALERTS[alert]


@pytest.mark.slow
@pytest.mark.parametrize("name", DASHBOARDS)
def test_the_pictures_of_the_documentation_are_drawn_from_it(
    cast: Cast, day: Day, name: str, tmp_path: Path
) -> None:
    folder = IMAGES if os.environ.get("STOKER_UPDATE_IMAGES") else tmp_path
    answers: dict[int, list[Course]] = {panel["id"]: [] for panel in panels(name)}
    for question in questions(name):
        if question.panel_id is not None:
            answers[question.panel_id] += courses(question, asked(cast.prometheus, day, question))
    picture = folder / f"{name}.svg"
    picture.write_text(drawing(dashboard(name), answers, (day.began, day.evening)))
    ET.parse(picture)


def courses(question: Question, found: list[Series]) -> Iterator[Course]:
    """The series by the names that the panel gives them."""
    for each in found:
        yield Course(question.named(each.labels), each.labels, each.points, question.number)


@pytest.mark.slow
def test_no_pod_has_more_series_than_it_may(cast: Cast, day: Day) -> None:
    most = 'max by (pod) (max_over_time(scrape_samples_scraped{stoker_dev_llmdeployment!=""}[1h]))'
    found = cast.prometheus.at(most, day.evening)
    counts = {each.labels["pod"]: each.points[0][1] for each in found}
    assert len(counts) >= 5
    assert max(counts.values()) <= MOST_SERIES
