"""Kubernetes' own schemas, from the package kubernetes-validate (its files, read once)."""

import json
from functools import cache
from importlib.resources import files
from typing import Any

from jsonschema import Draft202012Validator
from jsonschema.exceptions import best_match
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

VERSION = "1.35.0"
_SCHEMAS = files("kubernetes_validate") / f"kubernetes-json-schema/v{VERSION}-local-strict"


def complaint(manifest: dict[str, Any]) -> str | None:
    """What the schema of the object's kind has against it; None where it has nothing."""
    error = best_match(_validator(manifest["apiVersion"], manifest["kind"]).iter_errors(manifest))
    return None if error is None else f"{error.json_path}: {error.message}"


def is_known(manifest: dict[str, Any]) -> bool:
    """Whether the object's kind is one of Kubernetes' own."""
    return (_SCHEMAS / _file(manifest["apiVersion"], manifest["kind"])).is_file()


def _file(api_version: str, kind: str) -> str:
    group, _, version = api_version.rpartition("/")
    name = f"{group.partition('.')[0]}-{version}" if group else version
    return f"{kind.lower()}-{name}.json"


@cache
def _definitions() -> Registry[Any]:
    text = (_SCHEMAS / "_definitions.json").read_text()
    resource = Resource.from_contents(json.loads(text), default_specification=DRAFT202012)
    return resource @ Registry()


@cache
def _validator(api_version: str, kind: str) -> Draft202012Validator:
    schema = json.loads((_SCHEMAS / _file(api_version, kind)).read_text())
    return Draft202012Validator(schema, registry=_definitions())
