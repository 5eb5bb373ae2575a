"""Where nothing happens, nothing is written."""

import time
from dataclasses import replace

import pytest

from bed.audit import Call, Record
from bed.cluster import Namespace, wait_for
from bed.layout import Bed
from cluster.operator.installation import ACCOUNT, Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node
from stoker_operator.telling import PACE
from support.manifests import Json

# Whatever is under way is over when nothing was written for longer than any status is put off.
PAUSE_SECONDS = PACE.total_seconds() + 1

CLAIM: Json = {"size": "1Gi", "accessMode": "ReadWriteMany"}

REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
APART: Json = {"topologyKey": "kubernetes.io/hostname"}

# All sorts: well, at rest, and in every kind of trouble that lasts.
SORTS: dict[str, Json] = {
    "hot": {"replicas": 2, "disruption": {"minHot": 1}},
    "apart": {"podTemplate": {"affinity": {"podAntiAffinity": {REQUIRED: [APART]}}}},
    "suspended": {"suspend": True},
    "none": {"replicas": 0},
    "no-volume": {"storage": {"volumeClaim": CLAIM, "pullPolicy": "Never"}},
    "no-node": {"podTemplate": {"nodeSelector": {"zone": "nowhere"}}},
    "no-gpu": {"gpu": {"count": 8}},
    "no-class": {"podTemplate": {"priorityClassName": "nobody-made-it"}},
}


@pytest.fixture
def operator(installation: Installation) -> Operator:
    return installation.started()


@pytest.fixture
def sorts(
    operator: Operator,  # noqa: ARG001
    own: Resource,
) -> list[Resource]:
    """An LLMDeployment of each sort."""
    resources = [replace(own, name=name) for name in SORTS]
    own.namespace.apply(*(each.manifest(on_a_fake_node(SORTS[each.name])) for each in resources))
    for resource in resources:
        resource.until_applied()
    return resources


@pytest.mark.usefixtures("sorts")
@pytest.mark.parametrize(
    "seconds", [10, pytest.param(60, marks=pytest.mark.slow)], ids=["a moment", "a minute"]
)
def test_nothing_is_asked_or_written_while_nothing_happens(
    bed: Bed, namespace: Namespace, seconds: float
) -> None:
    wait_for(lambda: assert_nothing_is_under_way(bed, namespace), seconds=60)
    record = Record(bed)
    time.sleep(seconds)
    assert requests_of_operators(record, namespace) == []
    assert writes_in(namespace, record) == []


@pytest.mark.usefixtures("sorts")
def test_a_restart_with_nothing_to_do_writes_nothing(
    bed: Bed, namespace: Namespace, operator: Operator, installation: Installation
) -> None:
    wait_for(lambda: assert_nothing_is_under_way(bed, namespace), seconds=60)
    operator.stop()
    record = Record(bed)
    installation.started()
    wait_for(lambda: assert_nothing_is_under_way(bed, namespace), seconds=60)
    assert [each for each in requests_of_operators(record, namespace) if each.is_write] == []


def assert_nothing_is_under_way(bed: Bed, namespace: Namespace) -> None:
    record = Record(bed)
    time.sleep(PAUSE_SECONDS)
    assert writes_in(namespace, record) == []


def writes_in(namespace: Namespace, record: Record) -> list[Call]:
    """Kubernetes itself goes on saying that it cannot make a pod."""
    return [
        each
        for each in record.writes()
        if each.namespace == namespace.name and not each.is_of_kubernetes
    ]


def requests_of_operators(record: Record, namespace: Namespace) -> list[Call]:
    """All but the Lease, and watches that the API server has ended and that begin again."""
    user = f"system:serviceaccount:{namespace.name}:{ACCOUNT}"
    return [
        call
        for call in record.calls()
        if call.user == user and call.resource != "leases" and call.verb != "watch"
    ]
