"""What an LLMDeployment wants to exist: pure functions from its spec to manifests.

No I/O, no clock, no Kubernetes client: the same input gives the same output, on a laptop, in a
test and in the operator.
"""

from stoker_api.resource import LLMDeployment
from stoker_operator.desired.access import role_binding, service_account
from stoker_operator.desired.deployment import deployment
from stoker_operator.desired.heat import heat_config_map
from stoker_operator.desired.identity import Manifest
from stoker_operator.desired.service import service
from stoker_operator.desired.settings import NetworkPolicySettings, Settings
from stoker_operator.desired.storage import model_claim
from stoker_operator.desired.surroundings import (
    network_policy,
    pod_disruption_budget,
    pod_monitor,
)

__all__ = ["Manifest", "NetworkPolicySettings", "Settings", "desired"]


def desired(resource: LLMDeployment, settings: Settings) -> list[Manifest]:
    """The objects that `resource` should have, in the order in which they lean on one another."""
    wanted = [
        service_account(resource),
        role_binding(resource, settings),
        network_policy(resource, settings),
        heat_config_map(resource),
        model_claim(resource),
        service(resource),
        pod_disruption_budget(resource),
        deployment(resource, settings),
        pod_monitor(resource, settings),
    ]
    return [manifest for manifest in wanted if manifest is not None]
