"""The CRD: structural, bounded, documented, and as checked in."""

from collections.abc import Iterator
from typing import Any

from stoker_api.crd import custom_resource_definition, structural_schema
from stoker_api.spec import Spec
from stoker_api.status import Status
from support.manifests import resource

CRD = custom_resource_definition()
VERSION = CRD["spec"]["versions"][0]
ROOT = VERSION["schema"]["openAPIV3Schema"]
UNSTRUCTURAL = {
    "$ref",
    "$defs",
    "title",
    "const",
    "oneOf",
    "allOf",
    "prefixItems",
    "x-stoker-effect",
}


def nodes(schema: dict[str, Any], path: str = "") -> Iterator[tuple[str, dict[str, Any]]]:
    """Every schema below a schema, with its path."""
    yield path, schema
    for name, child in schema.get("properties", {}).items():
        yield from nodes(child, f"{path}.{name}")
    for key in ("items", "additionalProperties"):
        if key in schema:
            yield from nodes(schema[key], f"{path}[]")


PARTS = [*nodes(ROOT["properties"]["spec"], "spec"), *nodes(ROOT["properties"]["status"], "status")]


def test_the_schema_is_structural() -> None:
    for path, schema in nodes(ROOT):
        assert not schema.keys() & UNSTRUCTURAL, path
        assert "type" in schema or schema.get("x-kubernetes-int-or-string"), path


def test_every_list_map_and_string_is_bounded() -> None:
    for path, schema in PARTS:
        bounds = {"array": "maxItems", "string": "maxLength"}
        bound = bounds.get(schema.get("type", "string"))
        if "enum" not in schema and schema.get("format") != "date-time" and bound:
            assert bound in schema, path
        if "additionalProperties" in schema:
            assert "maxProperties" in schema, path


def test_every_number_of_the_spec_is_bounded() -> None:
    for path, schema in nodes(ROOT["properties"]["spec"], "spec"):
        if schema.get("type") in ("integer", "number"):
            assert "minimum" in schema, path
            assert "maximum" in schema, path


def test_every_field_is_documented() -> None:
    for path, schema in PARTS:
        if not path.endswith("[]"):
            description = schema.get("description", "")
            assert description.endswith((".", ")", "`")), f"{path}: {description!r}"


def test_defaults_are_what_python_thinks_they_are() -> None:
    def defaults(schema: dict[str, Any]) -> Any:
        """What the API server fills in."""
        if "properties" not in schema or "default" not in schema:
            return schema.get("default")
        filled = {name: defaults(child) for name, child in schema["properties"].items()}
        return {name: value for name, value in filled.items() if value is not None} | schema[
            "default"
        ]

    def without_nothing(value: Any) -> Any:
        if not isinstance(value, dict):
            return value
        kept = {name: without_nothing(child) for name, child in value.items()}
        return {name: child for name, child in kept.items() if child not in ({}, [])}

    schema = structural_schema(Spec)
    filled = {name: defaults(child) for name, child in schema["properties"].items()}
    filled = {name: value for name, value in filled.items() if value is not None}
    stored = resource().spec.as_json()
    assert without_nothing(stored) == without_nothing({"model": "phi3:mini"} | filled)


def test_a_default_is_never_empty() -> None:
    for path, schema in PARTS:
        assert schema.get("default", "x") not in ({}, []), (
            f"{path}: empty, so it goes without saying"
        )


def test_columns_and_subresources_point_at_fields() -> None:
    known = {path for path, _ in nodes(ROOT["properties"]["spec"], ".spec")}
    known |= {path for path, _ in nodes(ROOT["properties"]["status"], ".status")}
    known.add(".metadata.creationTimestamp")
    columns = VERSION["additionalPrinterColumns"]
    assert [column["name"].upper() for column in columns if column["priority"] == 0] == [
        "MODEL", "PHASE", "HOT", "VRAM", "FIRST-TOKEN", "AGE",
    ]  # fmt: skip
    scale = VERSION["subresources"]["scale"]
    assert {column["jsonPath"] for column in columns} | set(scale.values()) <= known


def test_a_status_reads_as_it_is_written() -> None:
    status = {
        "phase": "Hot",
        "conditions": [
            {
                "type": "Hot",
                "status": "True",
                "reason": "Proven",
                "lastTransitionTime": "2026-01-01T00:00:00Z",
            }
        ],
        "hot": "2/3",
        "gpu": {"vram": "4.9Gi", "vramBytes": 5261334938},
        "latency": {"firstToken": "180ms", "coldStart": {"loadSeconds": 4.87}},
    }
    read = Status.model_validate(status)
    written = read.as_json()
    assert written["conditions"][0]["message"] == ""
    assert Status.model_validate(written) == read
