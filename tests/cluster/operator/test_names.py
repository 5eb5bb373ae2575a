"""Names: the longest there may be, and the same one twice."""

from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import replace

from bed.cluster import Cluster, Namespace
from cluster.operator.installation import Installation, fresh_namespace
from cluster.operator.resource import Resource, on_a_fake_node

LONGEST = 63
MANY = 14


def test_the_longest_name_there_may_be(
    named: Callable[[str], Resource],
) -> None:
    resource = named("0123456789" * 5 + "123456")
    assert len(resource.name) == LONGEST
    claim = {"size": "1Gi", "accessMode": "ReadWriteMany", "whenDeleted": "Delete"}
    storage = {"volumeClaim": claim, "pullPolicy": "Never"}
    resource.apply(on_a_fake_node({"storage": storage, "disruption": {"minHot": 1}}))
    resource.until_applied()
    resource.merge({"spec": {"storage": {"volumeClaim": None, "pullPolicy": None, "emptyDir": {}}}})
    resource.until_hot()


def test_the_same_name_in_two_namespaces(
    installation: Installation, own: Resource, other_namespace: Namespace
) -> None:
    wider = replace(installation, namespaces=[*installation.namespaces, other_namespace])
    wider.prepare()
    wider.started()
    twin = replace(own, namespace=other_namespace)
    own.apply(on_a_fake_node({"replicas": 2}))
    twin.apply(on_a_fake_node({"keepAlive": 3600}))
    own.until_hot(replicas=2)
    twin.until_hot(replicas=1)

    own.delete()
    other_namespace.kubectl("delete", "service", twin.name)
    twin.until_hot()
    assert not own.pods()


def test_names_that_meet_in_a_child_s_name(
    named: Callable[[str], Resource],
) -> None:
    """The ConfigMap of `a` is `a-heat`, and so is the Service of an LLMDeployment of that name."""
    one, other = named("a"), named("a-heat")
    one.apply(on_a_fake_node())
    other.apply(on_a_fake_node())
    one.until_hot()
    other.until_hot()


def test_many_namespaces_each_with_its_watches(
    cluster: Cluster, installation: Installation, own: Resource
) -> None:
    """Each watch takes a connection for as long as the operator runs; passes need others."""
    with ExitStack() as stack:
        more = [stack.enter_context(fresh_namespace(cluster, "many")) for _ in range(MANY)]
        wider = replace(installation, namespaces=[*installation.namespaces, *more])
        wider.prepare()
        wider.started()
        for each in (own, replace(own, namespace=more[-1])):
            each.apply(on_a_fake_node())
            each.until_hot()
