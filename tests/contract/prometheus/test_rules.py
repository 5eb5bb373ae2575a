"""Each alert fires when it should, and is silent when it should be, as promtool sees it."""

import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from bed import tools
from contract.prometheus.stories import STORIES, Series

RULES = Path(__file__).parents[3] / "charts/stoker/rules/stoker.yaml"
ALERTS = {
    rule["alert"]: rule
    for group in yaml.safe_load(RULES.read_text())["groups"]
    for rule in group["rules"]
    if "alert" in rule
}


def promtool(*arguments: str) -> str:
    """What it printed; the test fails where it found something wrong."""
    done = subprocess.run(
        [tools.tool("promtool"), *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_there_is_a_story_for_each_alert() -> None:
    assert STORIES.keys() == ALERTS.keys()


def test_the_rules_are_well_formed() -> None:
    assert "SUCCESS" in promtool("check", "rules", "--lint-fatal", str(RULES))


@pytest.mark.parametrize("name", STORIES)
def test_it_fires(name: str, tmp_path: Path) -> None:
    story, rule = STORIES[name], ALERTS[name]
    alert = {
        "exp_labels": {**story.about, **rule["labels"]},
        "exp_annotations": {**rule["annotations"], "summary": story.sentence},
    }
    check(name, story.fires, [alert], tmp_path)


@pytest.mark.parametrize(
    ("name", "what"), [(name, what) for name, story in STORIES.items() for what in story.fine]
)
def test_it_is_silent_when(name: str, what: str, tmp_path: Path) -> None:
    check(name, STORIES[name].fine[what], [], tmp_path)


def check(name: str, series: Series, alerts: list[Any], folder: Path) -> None:
    """Just these alerts fire with these series, at the time of the story."""
    fires = {"eval_time": STORIES[name].at, "alertname": name, "exp_alerts": alerts}
    test = {
        "interval": "1m",
        "input_series": [{"series": each, "values": values} for each, values in series.items()],
        "alert_rule_test": [fires],
    }
    file = folder / "test.yaml"
    file.write_text(
        yaml.dump({"rule_files": [str(RULES)], "evaluation_interval": "1m", "tests": [test]})
    )
    promtool("test", "rules", str(file))
