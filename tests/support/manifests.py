"""LLMDeployments for tests, as manifests and as the operator reads them."""

from copy import deepcopy
from typing import Any

from stoker_api.errors import InvalidManifestError, Problem
from stoker_api.reading import read
from stoker_api.resource import LLMDeployment

Json = dict[str, Any]


def manifest(spec: Json | None = None, *, name: str = "phi3", **metadata: Any) -> Json:
    """An LLMDeployment of `phi3:mini`, with `spec` over that."""
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "LLMDeployment",
        "metadata": {"name": name, "namespace": "llms", **metadata},
        "spec": {"model": "phi3:mini", **(spec or {})},
    }


def resource(spec: Json | None = None, *, name: str = "phi3", **metadata: Any) -> LLMDeployment:
    """The same, read."""
    return read(manifest(spec, name=name, **metadata))


def problems_of(document: Json) -> list[Problem]:
    """All that `stoker validate` has against `document`."""
    try:
        read(document)
    except InvalidManifestError as error:
        return error.problems
    return []


def merged(base: Json, over: Json) -> Json:
    """`base` with `over` laid on it, object by object; None takes a field out."""
    result = deepcopy(base)
    for key, value in over.items():
        if value is None:
            result.pop(key, None)
        elif isinstance(value, dict) and isinstance(result.get(key), dict):
            result[key] = merged(result[key], value)
        else:
            result[key] = value
    return result
