"""An operator on a laptop, from where no pod's address leads anywhere."""

from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node


def test_it_goes_by_what_the_pods_conditions_tell_and_says_what_it_cannot_know(
    installation: Installation, own: Resource
) -> None:
    installation.started("--pod-addresses=skip")
    own.apply(on_a_fake_node({"replicas": 2}))
    own.until_hot(replicas=2)
    told = own.until_condition("Routed", "Unknown", "OutOfReach")
    assert "outside the cluster" in told["message"]
    assert own.condition("Hot")["status"] == "True"
