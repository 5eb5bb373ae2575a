"""An operator without its rights says which one it lacks, and works once it has them."""

import pytest

from cluster.operator.installation import ACCOUNT, Installation
from cluster.operator.resource import Resource, on_a_fake_node
from cluster.operator.rights import granted


def test_one_that_has_no_rights_yet(installation: Installation, own: Resource) -> None:
    own.namespace.kubectl("delete", "rolebinding", ACCOUNT)
    own.apply(on_a_fake_node())
    operator = installation.start()

    def says_so() -> None:
        assert "leases" in operator.tail()
        assert "forbidden" in operator.tail()

    own.namespace.wait_for(says_so)
    own.namespace.apply(granted(ACCOUNT, own.namespace.name))
    own.until_hot(seconds=60)


@pytest.mark.slow
def test_one_that_loses_a_right_and_gets_it_back(installation: Installation, own: Resource) -> None:
    """The Service is what it may not make any more; everything else goes on."""
    operator = installation.started()
    own.apply(on_a_fake_node())
    own.until_hot()
    own.namespace.kubectl("delete", "rolebinding", ACCOUNT)
    own.merge({"spec": {"replicas": 2}})
    own.namespace.wait_for(lambda: assert_refused(operator.tail()))
    own.namespace.apply(granted(ACCOUNT, own.namespace.name))
    own.until_hot(replicas=2, seconds=90)


def assert_refused(log: str) -> None:
    assert "forbidden" in log
