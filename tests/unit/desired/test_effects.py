"""Each field's documented effect is what a change of it really does."""

from collections.abc import Iterator
from typing import Any

import pytest
from pydantic.json_schema import JsonSchemaValue

from stoker_api.crd import structural_schema
from stoker_api.part import EFFECT_KEY, Effect
from stoker_api.spec import Spec
from stoker_operator.desired import Manifest, Settings, desired
from support.api_cases import CHANGES, DIGEST
from support.manifests import Json, merged, resource

SETTINGS = Settings("stoker-sidecar:test")
GPU: Json = {
    "gpu": {"memoryBudget": "8Gi", "minOffload": "90%"},
    "warmup": {"targetFirstToken": "1s"},
}
CLAIM: Json = {
    "storage": {"emptyDir": None, "volumeClaim": {"size": "50Gi"}},
    "rollout": {"maxSurge": 0, "maxUnavailable": 1},
}
FILLED: Json = {"storage": {"emptyDir": None, "existingClaim": "models", "pullPolicy": "Never"}}

# Field: what it is changed to, and what must stand beside it for that to be valid.
TO: dict[str, Any] = {
    "model": "gemma3:4b",
    "digest": DIGEST,
    "replicas": 3,
    "suspend": True,
    "keepAlive": "1h",
    "warmup.prompts": ["Hello?", "And now?"],
    "warmup.consecutive": 3,
    "warmup.targetFirstToken": "300ms",
    "warmup.deadline": "1h",
    "heartbeat.interval": "1s",
    "heartbeat.canary.idleAfter": "1m",
    "heartbeat.canary.timeout": "20s",
    "heartbeat.canary.failureThreshold": 3,
    "heartbeat.stall": "60s",
    "gate.shutOn": ["Latency"],
    "gpu.count": 2,
    "gpu.resourceName": "amd.com/gpu",
    "gpu.runtimeClassName": "nvidia",
    "gpu.memoryBudget": "9Gi",
    "gpu.onOverBudget": "Block",
    "gpu.minOffload": "100%",
    "options.contextLength": 8192,
    "options.parallel": 2,
    "options.batch": 512,
    "options.threads": 4,
    "options.flashAttention": True,
    "options.kvCacheType": "f16",
    "options.loadTimeout": "10m",
    "options.maxQueue": 64,
    "server.image": "ollama/ollama:0.18.0",
    "server.env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}],
    "sidecar.image": "stoker-sidecar:other",
    "storage.emptyDir.sizeLimit": "20Gi",
    "storage.existingClaim": "others",
    "storage.readOnly": True,
    "storage.insecureRegistry": True,
    "storage.pullPolicy": "Always",
    "storage.volumeClaim.size": "60Gi",
    "storage.volumeClaim.whenDeleted": "Delete",
    "routing.service.type": "LoadBalancer",
    "routing.service.port": 80,
    "routing.service.annotations": {"example.com/lb": "internal"},
    "routing.apis": ["ollama", "openai"],
    "routing.drainTimeout": "5m",
    "rollout.maxSurge": "50%",
    "rollout.maxUnavailable": 1,
    "rollout.progressDeadline": "2h",
    "disruption.minHot": 1,
    "podTemplate.labels": {"team": "a"},
    "podTemplate.annotations": {"team": "a"},
    "podTemplate.nodeSelector": {"zone": "a"},
    "podTemplate.tolerations": [{"operator": "Exists"}],
    "podTemplate.topologySpreadConstraints": [
        {"maxSkew": 1, "topologyKey": "zone", "whenUnsatisfiable": "ScheduleAnyway"}
    ],
    "podTemplate.priorityClassName": "high",
    "podTemplate.imagePullSecrets": [{"name": "registry"}],
    **{
        f"{container}.resources.{side}.{name}": amount
        for container in ("server", "sidecar")
        for side, amounts in (
            ("requests", {"cpu": "60m", "memory": "65Mi", "ephemeral-storage": "1Gi"}),
            ("limits", {"cpu": 2, "memory": "4Gi", "ephemeral-storage": "2Gi"}),
        )
        for name, amount in amounts.items()
    },
    **{
        f"podTemplate.affinity.{kind}.{side}DuringSchedulingIgnoredDuringExecution": value
        for kind, side, value in (
            ("podAffinity", "required", [{"topologyKey": "zone"}]),
            ("podAntiAffinity", "required", [{"topologyKey": "zone"}]),
            (
                "podAffinity",
                "preferred",
                [{"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}],
            ),
            (
                "podAntiAffinity",
                "preferred",
                [{"weight": 1, "podAffinityTerm": {"topologyKey": "zone"}}],
            ),
            (
                "nodeAffinity",
                "preferred",
                [
                    {
                        "weight": 1,
                        "preference": {
                            "matchFields": [
                                {"key": "metadata.name", "operator": "NotIn", "values": ["node-9"]}
                            ]
                        },
                    }
                ],
            ),
        )
    },
    "podTemplate.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution"
    ".nodeSelectorTerms": [{"matchExpressions": [{"key": "zone", "operator": "Exists"}]}],
}
BESIDE: dict[str, Json] = {field: GPU for field in TO if field.startswith("gpu.")} | {
    "heartbeat.stall": GPU,
    "gate.shutOn": GPU,
    "storage.volumeClaim.size": CLAIM,
    "storage.volumeClaim.whenDeleted": CLAIM,
    "storage.existingClaim": FILLED,
    "storage.readOnly": FILLED,
}


def leaves(schema: JsonSchemaValue, path: str = "", effect: str = "") -> Iterator[tuple[str, str]]:
    """Every field that has no fields of its own, with its effect; a list is one field."""
    effect = schema.get(EFFECT_KEY, effect)
    if "properties" not in schema:
        yield path.removeprefix("."), effect
    for name, field in schema.get("properties", {}).items():
        yield from leaves(field, f"{path}.{name}", effect)


EFFECTS = dict(leaves(structural_schema(Spec, effects=True)))


def nested(path: str, value: Any) -> Json:
    for step in reversed(path.split(".")):
        value = {step: value}
    return value  # type: ignore[no-any-return]


def parts(spec: Json) -> tuple[Manifest, Manifest, list[Manifest]]:
    """The pod template, heat.json's ConfigMap, and all else."""
    objects = desired(resource(spec, uid="1"), SETTINGS)
    deployment = next(each for each in objects if each["kind"] == "Deployment")
    template = deployment["spec"].pop("template")
    heat = next(each for each in objects if each["kind"] == "ConfigMap")
    return template, heat, [each for each in objects if each is not heat]


def test_every_field_says_what_a_change_of_it_does() -> None:
    assert "" not in EFFECTS.values()
    fixed = {field for field, effect in EFFECTS.items() if effect == Effect.FIXED.value}
    assert EFFECTS.keys() - fixed == TO.keys()
    assert fixed == {"storage.volumeClaim.storageClassName", "storage.volumeClaim.accessMode"}
    assert any("class and access mode" in change.says for change in CHANGES)


@pytest.mark.parametrize("field", TO)
def test_a_change_does_what_its_field_says(field: str) -> None:
    before = merged({"storage": {"emptyDir": {}}}, BESIDE.get(field, {}))
    after = merged(before, nested(field, TO[field]))
    old, new = parts(before), parts(after)
    rolls, heats, others = (one != other for one, other in zip(old, new, strict=True))
    match Effect(EFFECTS[field]):
        case Effect.ROLLS:
            assert rolls
        case Effect.LIVE:
            assert heats
            assert not rolls
        case Effect.FLEET:
            assert others
            assert not rolls
            assert not heats
