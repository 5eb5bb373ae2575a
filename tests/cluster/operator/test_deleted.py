"""An LLMDeployment that goes takes along what it has, whenever it goes."""

from dataclasses import replace

import pytest

from bed.cluster import Namespace
from cluster.operator.api_proxy import ApiProxy, Moment
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node


def test_everything_goes_with_it(hot: Resource) -> None:
    hot.delete()
    hot.namespace.wait_for(lambda: assert_gone(hot))


def test_everything_goes_with_it_while_no_operator_runs(
    installation: Installation, own: Resource
) -> None:
    operator = installation.started()
    own.apply(on_a_fake_node())
    own.until_hot()
    operator.stop()
    own.delete()  # waits until it is gone: no finalizer holds it
    own.namespace.wait_for(lambda: assert_gone(own))


def test_one_of_the_same_name_takes_its_place_at_once(hot: Resource) -> None:
    (pod,) = hot.pods()
    hot.delete()
    hot.apply(on_a_fake_node({"keepAlive": 3600}))
    hot.until_hot()
    assert pod not in hot.pods()


@pytest.mark.parametrize(
    "number",
    [pytest.param(1, marks=pytest.mark.slow), 5, pytest.param(7, marks=pytest.mark.slow)],
)
def test_it_is_deleted_in_the_middle_of_a_pass(
    installation: Installation, own: Resource, proxy: ApiProxy, number: int
) -> None:
    operator = installation.started(url=proxy.url)
    held = proxy.hold(number, Moment.BEFORE)
    own.apply(on_a_fake_node())
    assert held.reached.wait(20)
    own.delete()
    held.release()
    own.namespace.wait_for(lambda: assert_gone(own))

    # And it is none the worse for it.
    own.apply(on_a_fake_node())
    own.until_hot()
    assert operator.process.poll() is None


def test_its_claim_stays_unless_it_is_to_go(resource: Resource) -> None:
    claim = {"size": "1Gi", "accessMode": "ReadWriteMany"}
    spec = on_a_fake_node({"storage": {"volumeClaim": claim, "pullPolicy": "Never"}})
    resource.apply(spec)
    resource.until_applied()
    kept = resource.child("PersistentVolumeClaim")["metadata"]
    resource.delete()

    def is_all_there_is() -> None:
        assert list(resource.children()) == [("PersistentVolumeClaim", kept["name"])]

    resource.namespace.wait_for(is_all_there_is)

    resource.apply(spec)
    resource.until_applied()
    assert resource.child("PersistentVolumeClaim")["metadata"]["uid"] == kept["uid"]
    delete = {"spec": {"storage": {"volumeClaim": {"whenDeleted": "Delete"}}}}
    resource.merge(delete)
    resource.until_applied()
    resource.delete()
    resource.namespace.wait_for(lambda: assert_gone(resource))


@pytest.mark.slow
def test_its_namespace_goes(
    installation: Installation, own: Resource, other_namespace: Namespace
) -> None:
    """The operator makes nothing in a namespace that is going, and takes no harm."""
    wider = replace(installation, namespaces=[*installation.namespaces, other_namespace])
    wider.prepare()
    operator = wider.started()
    doomed = replace(own, namespace=other_namespace)
    doomed.apply(on_a_fake_node())
    doomed.until_hot()
    other_namespace.cluster.kubectl("delete", "namespace", other_namespace.name, "--timeout=60s")

    own.apply(on_a_fake_node())
    own.until_hot()
    assert operator.process.poll() is None


def assert_gone(resource: Resource) -> None:
    assert resource.children() == {}
    assert resource.pods() == {}
