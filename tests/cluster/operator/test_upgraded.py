"""An operator of another version: running pods stay as they are, unless they are to change."""

import pytest

from cluster.operator.installation import Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node

NEWER = "--sidecar-image=localhost/stoker-sidecar:newer"


@pytest.fixture
def operator(installation: Installation) -> Operator:
    return installation.started()


@pytest.fixture
def hot(operator: Operator, own: Resource) -> Resource:  # noqa: ARG001
    own.apply(on_a_fake_node())
    own.until_hot()
    return own


def test_a_new_sidecar_comes_with_the_next_change_of_a_pod(
    hot: Resource, operator: Operator, installation: Installation
) -> None:
    (pod,) = hot.pods()
    operator.stop()
    installation.started(NEWER)
    # It has seen to this, and has left the pod alone.
    hot.merge({"spec": {"keepAlive": 3600}})
    hot.namespace.wait_for(lambda: assert_observed(hot))
    assert hot.pods().keys() == {pod}

    hot.merge({"spec": {"options": {"parallel": 2}}})
    hot.namespace.wait_for(lambda: assert_only_new_sidecars(hot))
    assert pod not in hot.pods()


@pytest.mark.slow
def test_a_new_sidecar_comes_at_once_when_that_is_wanted(
    hot: Resource, operator: Operator, installation: Installation
) -> None:
    operator.stop()
    installation.started(NEWER, "--roll-sidecars")
    hot.namespace.wait_for(lambda: assert_only_new_sidecars(hot))


def assert_observed(resource: Resource) -> None:
    found = resource.get()
    assert found["status"]["observedGeneration"] == found["metadata"]["generation"]


def assert_only_new_sidecars(resource: Resource) -> None:
    pods = resource.pods().values()
    images = {pod["spec"]["initContainers"][0]["image"] for pod in pods}
    assert images == {"localhost/stoker-sidecar:newer"}
