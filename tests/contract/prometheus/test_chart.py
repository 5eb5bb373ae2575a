"""What the chart makes of dashboards and alerts: the files, whole, and where the runbooks are."""

import yaml

from support.charts import CHART, Rendering
from support.manifests import Json

RULES = yaml.safe_load((CHART / "rules/stoker.yaml").read_text())


def test_each_dashboard_is_a_config_map_that_grafanas_sidecar_finds() -> None:
    values = {"enabled": True, "annotations": {"grafana_folder": "Stoker"}}
    made = Rendering({"dashboards": values}, ["dashboards"]).objects()
    assert {each["metadata"]["name"] for each in made} == {"stoker-fleet", "stoker-model"}
    for each in made:
        assert each["metadata"]["labels"]["grafana_dashboard"] == "1"
        assert each["metadata"]["annotations"] == {"grafana_folder": "Stoker"}
        ((name, text),) = each["data"].items()
        assert text.strip() == (CHART / "dashboards" / name).read_text().strip()


def rule(**values: str) -> Json:
    (made,) = Rendering({"alerts": {"enabled": True} | values}, ["prometheus-rule"]).objects()
    return made


def test_the_rules_are_those_of_the_file() -> None:
    assert rule()["spec"] == RULES


def test_alerts_lead_to_the_runbooks_wherever_they_are() -> None:
    groups = rule(runbooks="https://example.com/stoker/runbooks/")["spec"]["groups"]
    alerts = [each for group in groups for each in group["rules"] if "alert" in each]
    assert len(alerts) > 10
    for each in alerts:
        url = f"https://example.com/stoker/runbooks/{each['alert']}.md"
        assert each["annotations"]["runbook_url"] == url


def test_the_operators_series_keep_the_namespaces_that_they_are_about() -> None:
    made = Rendering({"podMonitor": {"enabled": True}}, ["operator"]).objects()
    (monitor,) = (each for each in made if each["kind"] == "PodMonitor")
    (endpoint,) = monitor["spec"]["podMetricsEndpoints"]
    assert endpoint["honorLabels"]
