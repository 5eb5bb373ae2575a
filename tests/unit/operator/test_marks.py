"""A newer sidecar alone rolls no pod."""

from copy import deepcopy
from typing import Any

import pytest

from stoker_operator.desired import Manifest, Settings, desired
from stoker_operator.desired.marks import Running, marked, with_running_sidecar
from support.manifests import Json, resource

OLD, NEW = Settings("sidecar:1"), Settings("sidecar:2")


def applied(
    spec: Json, settings: Settings, live: Manifest | None = None, **metadata: Any
) -> Manifest:
    """The Deployment as it is applied over what there is."""
    wanted = resource(spec, uid="1", **metadata)
    objects = desired(wanted, settings)
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    return marked(with_running_sidecar(deployment, Running.of(live), wanted, settings))


def image(deployment: Manifest) -> str:
    return str(deployment["spec"]["template"]["spec"]["initContainers"][0]["image"])


def test_a_new_operator_leaves_running_pods_their_sidecar() -> None:
    before = applied({}, OLD)

    after = applied({}, NEW, deepcopy(before))

    assert after == before


def test_a_change_that_rolls_the_pods_takes_the_new_sidecar_along() -> None:
    after = applied({"model": "llama3"}, NEW, applied({}, OLD))

    assert image(after) == "sidecar:2"


def test_a_change_that_rolls_no_pod_leaves_them_their_sidecar() -> None:
    after = applied({"replicas": 3}, NEW, applied({}, OLD))

    assert image(after) == "sidecar:1"
    assert after["spec"]["replicas"] == 3


def test_a_restart_takes_the_new_sidecar_along() -> None:
    after = applied({}, NEW, applied({}, OLD), annotations={"stoker.dev/restart": "now"})

    assert image(after) == "sidecar:2"


def test_asked_for_it_goes_out_at_once() -> None:
    after = applied({}, Settings("sidecar:2", roll_sidecars=True), applied({}, OLD))

    assert image(after) == "sidecar:2"


@pytest.mark.parametrize("settings", [OLD, NEW])
def test_an_image_that_the_spec_names_is_the_one(settings: Settings) -> None:
    own = {"sidecar": {"image": "mine:1"}}

    assert image(applied(own, settings, applied({}, OLD))) == "mine:1"
    assert image(applied({}, settings, applied(own, OLD))) == settings.sidecar_image


def test_a_deployment_that_somebody_has_robbed_of_its_sidecar_gets_one() -> None:
    live = applied({}, OLD)
    live["spec"]["template"]["spec"]["initContainers"] = []

    assert image(applied({}, NEW, live)) == "sidecar:2"
