"""The CustomResourceDefinition, made from the types.

Kubernetes wants a structural schema: no references, no nulls, no unions but its own. This takes
pydantic's JSON schema there; the API server, in the cluster tests, has the last word.
"""

from typing import Any

from pydantic.json_schema import JsonSchemaValue

from stoker_api.part import EFFECT_KEY, Part
from stoker_api.resource import KIND, LLMDeployment
from stoker_api.rules import as_validations
from stoker_api.spec import Spec
from stoker_api.status import Status
from stoker_api.wire import DOMAIN

PLURAL = "llmdeployments"

_COLUMNS = (
    ("Model", ".spec.model", 0),
    ("Phase", ".status.phase", 0),
    ("Hot", ".status.hot", 0),
    ("VRAM", ".status.gpu.vram", 0),
    ("First-Token", ".status.latency.firstToken", 0),
    ("Age", ".metadata.creationTimestamp", 0),
    ("Digest", ".status.model.digest", 1),
    ("Budget", ".spec.gpu.memoryBudget", 1),
    ("Context", ".status.model.contextLength", 1),
)
_COLUMN_TYPES = {"Age": "date", "Context": "integer"}


def custom_resource_definition() -> dict[str, Any]:
    """The CRD of LLMDeployment, ready for `kubectl apply`."""
    return {
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {
            "name": f"{PLURAL}.{DOMAIN}",
            "labels": {"app.kubernetes.io/name": "stoker", "app.kubernetes.io/part-of": "stoker"},
        },
        "spec": {
            "group": DOMAIN,
            "scope": "Namespaced",
            "names": {
                "kind": KIND,
                "listKind": f"{KIND}List",
                "plural": PLURAL,
                "singular": KIND.lower(),
                "shortNames": ["llmd", "llm"],
                "categories": ["all"],
            },
            "versions": [_version()],
        },
    }


def _version() -> dict[str, Any]:
    return {
        "name": "v1alpha1",
        "served": True,
        "storage": True,
        "additionalPrinterColumns": [
            {
                "name": name,
                "type": _COLUMN_TYPES.get(name, "string"),
                "jsonPath": path,
                "priority": priority,
            }
            for name, path, priority in _COLUMNS
        ],
        "subresources": {
            "status": {},
            "scale": {
                "specReplicasPath": ".spec.replicas",
                "statusReplicasPath": ".status.replicas",
                "labelSelectorPath": ".status.selector",
            },
        },
        "schema": {"openAPIV3Schema": _root_schema()},
    }


def _root_schema() -> JsonSchemaValue:
    return {
        "description": LLMDeployment.__doc__,
        "type": "object",
        "required": ["spec"],
        "properties": {
            "apiVersion": {
                "description": f"`{DOMAIN}/v1alpha1`.",
                "type": "string",
            },
            "kind": {"description": f"`{KIND}`.", "type": "string"},
            "metadata": {"type": "object"},
            "spec": structural_schema(Spec),
            "status": structural_schema(Status),
        },
    } | as_validations(LLMDeployment.rules)


def structural_schema(part: type[Part], *, effects: bool = False) -> JsonSchemaValue:
    """The structural schema of a part; with the `Effect` of its fields, if asked for."""
    # Of pydantic's two modes this is the one that writes defaults as manifests write them.
    schema = part.model_json_schema(by_alias=True, mode="serialization")
    dropped = {"title"} if effects else {"title", EFFECT_KEY}
    return _structural(schema, schema.get("$defs", {}), dropped)


def _structural(
    node: JsonSchemaValue, definitions: JsonSchemaValue, dropped: set[str]
) -> JsonSchemaValue:
    """`node` with references and nulls resolved, all the way down."""
    node = _resolved(node, definitions)
    schema = {key: value for key, value in node.items() if key not in dropped | {"$defs"}}
    if "const" in schema:  # which structural schemas do not know
        schema["enum"] = [schema.pop("const")]
    if "description" in schema:
        schema["description"] = " ".join(schema["description"].split())
    if "properties" in schema:
        schema["properties"] = {
            name: _structural(child, definitions, dropped)
            for name, child in schema["properties"].items()
        }
        schema.pop("additionalProperties")  # unknown fields are refused or pruned without it
    for key in ("items", "additionalProperties"):
        if key in schema:
            schema[key] = _structural(schema[key], definitions, dropped)
    default = _said(schema.pop("default", None), node, definitions)
    return schema if _is_nothing(default) else schema | {"default": default}


def _resolved(node: JsonSchemaValue, definitions: JsonSchemaValue) -> JsonSchemaValue:
    """`node` with what it refers to in it; its own words win over those that it refers to."""
    if "$ref" in node:
        target = definitions[node["$ref"].rpartition("/")[2]]
        return _resolved(target, definitions) | _without(node, "$ref")
    options = [option for option in node.get("anyOf", []) if option != {"type": "null"}]
    if len(options) == 1:  # an optional field
        return _resolved(options[0], definitions) | _without(node, "anyOf")
    return node


def _said(default: Any, node: JsonSchemaValue, definitions: JsonSchemaValue) -> Any:
    """A default without what goes without saying: nulls, and what is empty unless set.

    Otherwise it is written out in full, nested defaults too, because the API server judges a
    default by the rules before it fills in what lies below.
    """
    if not isinstance(default, dict) or "properties" not in node:
        return default
    fields = {
        name: _resolved(child, definitions)
        for name, child in node["properties"].items()
        if default.get(name) is not None
    }
    said = {name: _said(default[name], field, definitions) for name, field in fields.items()}
    return {
        name: value
        for name, value in said.items()
        if not _is_nothing(value) or fields[name].get("default") is None
    }


def _is_nothing(default: Any) -> bool:
    return default is None or default in ([], {})


def _without(node: JsonSchemaValue, key: str) -> JsonSchemaValue:
    return {name: value for name, value in node.items() if name != key}
