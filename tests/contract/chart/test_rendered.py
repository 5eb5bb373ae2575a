"""What `helm` makes of the chart, without a cluster."""

from pathlib import Path

import pytest
import yaml

from stoker_api.crd import custom_resource_definition
from support.charts import CHART, HelmError, Rendering, helm
from support.kubernetes_schemas import complaint, is_known
from support.manifests import Json

GOLDEN = Path(__file__).parents[2] / "golden/chart"
WITHOUT_CRD: Json = {"crds": {"install": False}}
EVERYTHING: Json = WITHOUT_CRD | {
    "commonLabels": {"team": "llm"},
    "image": {"registry": "registry.example/llm", "pullSecrets": [{"name": "pull"}]},
    "operator": {
        "image": {"digest": f"sha256:{'0' * 64}"},
        "podAnnotations": {"example.com/note": "1"},
        "podLabels": {"example.com/tier": "control"},
        "priorityClassName": "system-cluster-critical",
        "tolerations": [{"key": "control", "operator": "Exists"}],
        "topologySpreadConstraints": [
            {
                "maxSkew": 1,
                "topologyKey": "kubernetes.io/hostname",
                "whenUnsatisfiable": "DoNotSchedule",
                "labelSelector": {"matchLabels": {"app.kubernetes.io/component": "operator"}},
            }
        ],
    },
    "sidecar": {"image": {"tag": "0.1.0-rc.1"}, "roll": True},
    "networkPolicy": {"enabled": True, "monitoringNamespace": "prometheus"},
    "podMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "llmDeployments": [
        {"name": "phi3", "namespace": "llms", "spec": {"model": "phi3:mini"}},
        {"name": "123", "spec": {"model": "tinyllama", "options": {"contextLength": 1048576}}},
    ],
}
CASES: dict[str, Rendering] = {
    "default": Rendering(WITHOUT_CRD),
    "everything": Rendering(EVERYTHING),
    "namespaces": Rendering(
        WITHOUT_CRD | {"watchNamespaces": ["llms", "123"], "operator": {"replicas": 1}},
        namespace="456",
        release="feeder",
    ),
}

# What stays when the release goes, so that models are served and gates work.
KEPT = {
    "ClusterRole stoker-sidecar",
    "CustomResourceDefinition llmdeployments.stoker.dev",
    "LLMDeployment 123",
    "LLMDeployment phi3",
    "ValidatingAdmissionPolicy stoker-sidecar",
    "ValidatingAdmissionPolicyBinding stoker-sidecar",
}

# Values that are wrong, and what Helm says of them.
WRONG: dict[str, tuple[Json, str]] = {
    "a value that does not exist": (
        {"operater": {}},
        "additional properties 'operater' not allowed",
    ),
    "one of a group": (
        {"operator": {"replica": 3}},
        "at '/operator': additional properties 'replica'",
    ),
    "a word for a number": ({"operator": {"workers": "8"}}, "got string, want integer"),
    "no replica": ({"operator": {"replicas": 0}}, "minimum: got 0, want 1"),
    "a level that is none": (
        {"operator": {"logLevel": "trace"}},
        "'debug', 'info', 'warning', 'error'",
    ),
    "a digest that is none": ({"sidecar": {"image": {"digest": "1"}}}, "does not match pattern"),
    "a namespace twice": ({"watchNamespaces": ["a", "a"]}, "items at 0 and 1 are equal"),
    "a label of the chart's own": (
        {"commonLabels": {"app.kubernetes.io/name": "mine"}},
        "invalid propertyName 'app.kubernetes.io/name'",
    ),
    "a model without a spec": ({"llmDeployments": [{"name": "a"}]}, "missing property 'spec'"),
}


def named(manifest: Json) -> str:
    return f"{manifest['kind']} {manifest['metadata']['name']}"


@pytest.mark.parametrize("case", CASES)
def test_it_renders_to_its_golden_manifests(case: str, request: pytest.FixtureRequest) -> None:
    rendered = CASES[case].text()
    golden = GOLDEN / f"{case}.yaml"
    if request.config.getoption("--update-golden-chart", default=False):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), f"{case}: look at the change, `make golden`"


@pytest.mark.parametrize("case", CASES)
def test_kubernetes_knows_every_field(case: str) -> None:
    known = [each for each in CASES[case].objects() if is_known(each)]
    assert len(known) > 5
    assert [(named(each), complaint(each)) for each in known if complaint(each)] == []


def test_the_api_is_the_one_of_the_types() -> None:
    (rendered,) = Rendering(templates=["crd"]).objects()
    assert rendered["spec"] == custom_resource_definition()["spec"]


def test_what_models_need_stays_when_the_release_goes() -> None:
    objects = Rendering(EVERYTHING | {"crds": {}}).objects("--skip-tests")
    kept = {
        named(each)
        for each in objects
        if each["metadata"].get("annotations") == {"helm.sh/resource-policy": "keep"}
    }
    assert kept == KEPT


def test_the_api_goes_with_the_release_when_that_is_asked_for() -> None:
    (rendered,) = Rendering({"crds": {"keep": False}}, templates=["crd"]).objects()
    assert "annotations" not in rendered["metadata"]


def test_it_is_the_same_for_an_upgrade_and_every_time() -> None:
    """Argo and Flux compare what is rendered with what is there, and have no cluster to ask."""
    rendering = CASES["everything"]
    assert rendering.text() == rendering.text() == rendering.text("--is-upgrade")


def test_every_object_says_which_namespace_it_is_in() -> None:
    cluster_wide = {
        "ClusterRole",
        "ClusterRoleBinding",
        "ValidatingAdmissionPolicy",
        "ValidatingAdmissionPolicyBinding",
    }
    for each in CASES["everything"].objects():
        assert ("namespace" in each["metadata"]) != (each["kind"] in cluster_wide), named(each)


@pytest.mark.parametrize("release", ["stoker", "a" * 53, "my-stoker-" + "b" * 43])
def test_names_fit_whatever_the_release_is_called(release: str) -> None:
    objects = Rendering(EVERYTHING, release=release).objects()
    for each in objects:
        labels = each["metadata"].get("labels", {})
        assert max(map(len, [each["metadata"]["name"], *labels.values()])) <= 63, named(each)
    ours = [each for each in objects if each["kind"] != "LLMDeployment"]
    assert all(each["metadata"]["name"].startswith(release[:47]) for each in ours)


def test_with_a_list_of_namespaces_nothing_is_granted_in_the_cluster() -> None:
    objects = CASES["namespaces"].objects("--skip-tests")
    assert [named(each) for each in objects if each["kind"].startswith("ClusterRole")] == [
        "ClusterRole feeder-stoker-sidecar"  # granted by nobody but the operator's RoleBindings
    ]
    roles = {
        each["metadata"]["namespace"]: [rule["resources"] for rule in each["rules"]]
        for each in objects
        if each["kind"] == "Role"
    }
    assert roles["llms"] == roles["123"]
    assert roles["456"] == [["leases"], ["leases"]]


@pytest.mark.parametrize(
    ("feature", "kind"), [("networkPolicy", "networkpolicies"), ("podMonitor", "podmonitors")]
)
def test_a_feature_that_is_off_grants_nothing(feature: str, kind: str) -> None:
    only = ["operator-rbac"]
    off, on = (
        Rendering(templates=only).text(),
        Rendering({feature: {"enabled": True}}, templates=only).text(),
    )
    assert kind not in off
    assert kind in on


@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_value_is_refused_with_a_sentence(what: str) -> None:
    values, sentence = WRONG[what]
    with pytest.raises(HelmError, match="values don't meet the specifications") as refused:
        Rendering(values).text()
    assert sentence in str(refused.value)


def test_it_may_be_a_part_of_another_chart(tmp_path: Path) -> None:
    """Helm hands `global` down, whether the part knows it or not."""
    parent = {"apiVersion": "v2", "name": "platform", "version": "1.0.0"}
    dependency = {"name": "stoker", "version": "0.1.0", "repository": f"file://{CHART}"}
    (tmp_path / "Chart.yaml").write_text(yaml.dump(parent | {"dependencies": [dependency]}))
    (tmp_path / "values.yaml").write_text("global: {team: llm}\nstoker: {crds: {install: false}}")
    helm("dependency", "update", str(tmp_path))
    assert "name: platform-stoker-operator" in helm("template", "platform", str(tmp_path))


@pytest.mark.parametrize("values", [{}, EVERYTHING], ids=["default", "everything"])
def test_helm_finds_nothing_to_say_against_it(values: Json, tmp_path: Path) -> None:
    file = tmp_path / "values.yaml"
    file.write_text(yaml.dump(values))
    assert "0 chart(s) failed" in helm("lint", "--strict", str(CHART), f"--values={file}")
