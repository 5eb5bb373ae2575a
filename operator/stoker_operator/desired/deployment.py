"""The Deployment that runs the pods."""

import math

from stoker_api.resource import LLMDeployment
from stoker_operator.desired.identity import Manifest, manifest, selector
from stoker_operator.desired.pod import pod_template
from stoker_operator.desired.settings import Settings

_REVISIONS_KEPT = 3


def deployment(resource: LLMDeployment, settings: Settings) -> Manifest:
    """The Deployment. A pod counts as available once it is hot, so a roll-out waits for heat."""
    spec = resource.spec
    return manifest(
        resource,
        "apps/v1",
        "Deployment",
        resource.metadata.name,
        spec={
            "replicas": 0 if spec.suspend else spec.replicas,
            "revisionHistoryLimit": _REVISIONS_KEPT,
            "progressDeadlineSeconds": math.ceil(spec.rollout.progress_deadline.total_seconds()),
            "selector": {"matchLabels": selector(resource)},
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {
                    "maxSurge": spec.rollout.max_surge,
                    "maxUnavailable": spec.rollout.max_unavailable,
                },
            },
            "template": pod_template(resource, settings),
        },
    )
