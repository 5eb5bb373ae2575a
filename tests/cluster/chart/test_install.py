"""`helm install`, and a model is hot; `helm upgrade` and `rollback`, and it stays so."""

import logging
import shutil
import time
from pathlib import Path

import pytest

from bed import machine
from bed.layout import Bed
from bed.watching import Watch, watching
from cluster.chart.release import Release
from cluster.hot_pods import is_open, name_of
from support.charts import CHART, HelmError
from support.manifests import Json

_log = logging.getLogger(__name__)

INSTALLED_SECONDS = 60
"""From `helm install` to the first hot model, as the README promises it."""


def test_a_model_is_hot_within_a_minute(release: Release, simulator: Json) -> None:
    began = time.monotonic()
    release.install()
    model = release.resource("phi3")
    model.apply(simulator)
    model.until_hot(seconds=INSTALLED_SECONDS)
    took = time.monotonic() - began
    _log.info("%.1f s from `helm install` to the first hot model", took)
    assert took < INSTALLED_SECONDS
    nodes = {pod["spec"]["nodeName"] for pod in release.operators()}
    assert len(nodes) == 2, "one node's loss would take both replicas"


def test_helm_test_sees_a_model_become_hot(release: Release) -> None:
    release.install()
    said = release.helm("test", "--logs")
    assert "hot, and it answers: " in said
    release.namespace.wait_for(lambda: assert_no_test(release), seconds=60)


@pytest.mark.slow
def test_helm_test_says_why_a_model_is_not_hot(release: Release) -> None:
    release.install({"test": {"spec": {"model": "nobody/nothing"}, "timeoutSeconds": 30}})
    with pytest.raises(HelmError, match=r"within 30 s: Blocked: .*ModelNotFound"):
        release.helm("test", "--logs")
    assert release.namespace.list("llmd") == []


@pytest.mark.slow
def test_an_upgrade_and_its_rollback_cool_nothing(
    bed: Bed, release: Release, simulator: Json, tmp_path: Path
) -> None:
    release.install()
    models = [release.resource("one"), release.resource("two")]
    models[0].apply(simulator)
    models[1].apply(simulator | {"replicas": 2})
    for model, replicas in zip(models, (1, 2), strict=True):
        model.until_hot(replicas=replicas, seconds=120)
    with (
        watching(release.namespace, "pods") as pods,
        watching(release.namespace, "endpointslices") as slices,
    ):
        release.upgrade(next_chart(tmp_path), next_images(bed, release))
        assert served_kinds(release) == ["all", "llms"]
        models[0].merge({"spec": {"keepAlive": 3600}})  # the new operator works
        models[0].until_hot()
        release.helm("rollback", "--wait")
        assert served_kinds(release) == ["all"]
        models[0].merge({"spec": {"keepAlive": 7200}})
        models[0].until_hot()
    assert_nothing_cooled(pods)
    assert_always_served(slices)


def assert_no_test(release: Release) -> None:
    """Nothing of `helm test` is there any more, and nothing of its LLMDeployment."""
    kinds = "llmd,serviceaccount,role,rolebinding,deployment,pod"
    left = release.namespace.kubectl("get", kinds, "--output=name").split()
    assert [name for name in left if f"{release.fullname}-test" in name] == []


def next_chart(folder: Path) -> Path:
    """The chart of a version to come, with an API that has changed."""
    chart = folder / "stoker"
    shutil.copytree(CHART, chart)
    edit(chart / "Chart.yaml", "ersion: 0.1.0", "ersion: 0.2.0")
    edit(chart / "templates/crd.yaml", "    - all\n", "    - all\n    - llms\n")
    return chart


def edit(file: Path, old: str, new: str) -> None:
    before = file.read_text()
    assert old in before, f"{file}: {old}"
    file.write_text(before.replace(old, new))


def next_images(bed: Bed, release: Release) -> Json:
    """Images of that version: the same, by another name."""
    tags: Json = {}
    for part in ("operator", "sidecar"):
        tag = release.values[part]["image"]["tag"]
        image = f"localhost/stoker-{part}"
        for node in bed.nodes():
            command = f"ctr --namespace=k8s.io images tag --force {image}:{tag} {image}:{tag}-next"
            machine.run_in(node, command)
        tags[part] = {"image": {"tag": f"{tag}-next"}}
    return tags


def served_kinds(release: Release) -> list[str]:
    found = release.namespace.cluster.get("crd", "llmdeployments.stoker.dev")
    return list(found["spec"]["names"]["categories"])


def assert_nothing_cooled(pods: Watch) -> None:
    """No gate was shut, and no pod of a model went."""
    models = [change for change in pods.changes if "readinessGates" in change.found["spec"]]
    assert models
    ends = [name_of(each.found) for each in models if each.kind == "DELETED"]
    shut = [name_of(each.found) for each in models if not is_open(each.found)]
    assert (ends, shut) == ([], [])


def assert_always_served(slices: Watch) -> None:
    """No endpoint was taken away, not even for a moment."""
    endpoints = [each for change in slices.changes for each in change.found["endpoints"] or []]
    assert endpoints
    assert [
        each["targetRef"]["name"] for each in endpoints if not each["conditions"]["ready"]
    ] == []
