"""The API reference for people, made from the types."""

from collections.abc import Iterator
from typing import Any

from pydantic.json_schema import JsonSchemaValue

from stoker_api.crd import structural_schema
from stoker_api.part import EFFECT_KEY
from stoker_api.resource import API_VERSION, KIND, LLMDeployment
from stoker_api.rules import VALIDATIONS_KEY
from stoker_api.spec import Spec
from stoker_api.status import Status

_EFFECTS = {
    "live": "live",
    "rolls": "new pods",
    "fleet": "no pod",
    "fixed": "refused",
}

_HEAD = f"""\
# {KIND}

<!-- Generated from crds/stoker_api by `make generate`. Do not edit. -->

{{about}}

`apiVersion: {API_VERSION}`, short names `llmd` and `llm`, namespaced. `kubectl explain llmd.spec`
says the same as this page, and `stoker validate` refuses what the API server refuses, in the same
words. Unknown fields are refused too.

Each field says what **a change** of it does:

| a change | means |
| --- | --- |
| live | running pods take it up; nothing restarts |
| new pods | new pods replace the old ones, each hot before its predecessor leaves |
| no pod | other objects change (how many pods, the Service, the strategy); no pod is replaced |
| refused | it cannot be changed |

"""


def reference() -> str:
    """The page, in Markdown."""
    about = " ".join((LLMDeployment.__doc__ or "").split())
    lines = [_HEAD.format(about=about)]
    lines += _object("spec", structural_schema(Spec, effects=True), "", effects=True)
    lines += _object("status", structural_schema(Status), "", effects=False)
    return "\n".join(lines).rstrip() + "\n"


def _object(path: str, schema: JsonSchemaValue, effect: str, *, effects: bool) -> Iterator[str]:
    """The section of an object, then those of the objects in it."""
    effect = schema.get(EFFECT_KEY, effect)
    yield f"## `{path}`\n\n{schema['description']}\n"
    for rule in schema.get(VALIDATIONS_KEY, []):
        yield f"- Rule: {_escaped(rule['message'])}."
    yield "\n| field | type | default |" + (" a change |" if effects else "") + " meaning |"
    yield "| --- | --- | --- |" + (" --- |" if effects else "") + " --- |"
    required = schema.get("required", [])
    for name, field in schema["properties"].items():
        change = f" {_change(field, effect)} |" if effects else ""
        default = "**required**" if name in required else _default(field)
        meaning = " ".join([field.get("description", ""), *_field_rules(field)]).strip()
        yield f"| `{name}` | {_type(field)} | {default} |{change} {_escaped(meaning)} |"
    yield ""
    for name, field in schema["properties"].items():
        inner, suffix = (field["items"], "[]") if "items" in field else (field, "")
        if "properties" in inner:
            below = field.get(EFFECT_KEY, effect)
            yield from _object(f"{path}.{name}{suffix}", inner, below, effects=effects)


def _field_rules(field: JsonSchemaValue) -> Iterator[str]:
    """The rules of a field that has no section of its own."""
    if "properties" not in field:
        for rule in field.get(VALIDATIONS_KEY, []):
            yield f"It {rule['message']}."


def _change(field: JsonSchemaValue, inherited: str) -> str:
    effect = field.get(EFFECT_KEY, inherited)
    return _EFFECTS[effect] if effect and "properties" not in field else ""


def _default(field: JsonSchemaValue) -> str:
    default: Any = field.get("default")
    if default is None or "properties" in field:
        return ""
    if isinstance(default, list):
        return ", ".join(f"`{item}`" for item in default)
    return f"`{str(default).lower() if isinstance(default, bool) else default}`"


def _type(field: JsonSchemaValue) -> str:
    if "enum" in field:
        return ", ".join(f"`{value}`" for value in field["enum"])
    if "items" in field:
        return f"list of {_type(field['items'])}"
    if "additionalProperties" in field:
        return "map"
    if field.get("x-kubernetes-int-or-string"):
        return "integer or string"
    if field["type"] in ("integer", "number") and "maximum" in field:
        return f"{field['type']}, {field.get('minimum', '…')} to {field['maximum']}"
    return str(field["type"])


def _escaped(text: str) -> str:
    return text.replace("|", "\\|")
