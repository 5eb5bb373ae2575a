"""The bed's audit log tells who has asked the API server for what."""

from bed.audit import Record
from bed.cluster import Namespace
from bed.layout import Bed


def test_a_write_is_told_with_who_and_what(bed: Bed, namespace: Namespace) -> None:
    record = Record(bed)
    namespace.kubectl("create", "configmap", "told")
    (write,) = [call for call in record.writes() if call.name == "told"]
    assert (write.verb, write.resource, write.namespace) == (
        "create",
        "configmaps",
        namespace.name,
    )
    assert (write.user, write.code) == ("stoker-bed-admin", 201)
    assert write.agent.startswith("kubectl/")


def test_reads_and_refused_writes_are_no_writes(bed: Bed, namespace: Namespace) -> None:
    record = Record(bed)
    assert namespace.list("configmaps", "a=b") == []
    namespace.kubectl("delete", "configmap", "not-there", "--ignore-not-found")
    mine = [call for call in record.calls() if call.namespace == namespace.name]
    assert {"list", "delete"} <= {call.verb for call in mine if not call.is_of_kubernetes}
    assert [call for call in mine if call.is_write and not call.is_of_kubernetes] == []


def test_a_lease_is_a_sign_of_life_and_no_write(bed: Bed, namespace: Namespace) -> None:
    record = Record(bed)
    namespace.apply(
        {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": {"name": "alive"}}
    )
    assert [call for call in record.calls() if call.resource == "leases" and call.is_write]
    assert [call for call in record.writes() if call.resource == "leases"] == []
