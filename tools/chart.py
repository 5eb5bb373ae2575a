"""What is made of the chart's values.yaml and of the CRD: schema, README and CRD template.

A value's description is the comment above it; its lines with `@schema` are what a schema says of it
beyond the type of its default.
"""

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stoker_api.crd import custom_resource_definition
from stoker_operator.documents import to_yaml

ROOT = Path(__file__).parent.parent
CHART = ROOT / "charts/stoker"
MARK = "@schema"
TYPES = {bool: "boolean", int: "integer", str: "string", dict: "object", list: "array"}

# A chart that has this one as a part hands these down, unasked.
GLOBAL = {"type": "object", "description": "Values of a chart that this one is a part of."}

README = """\
<!-- Generated from Chart.yaml and values.yaml by `make generate`. Do not edit. -->
# The chart `{name}`

{description}. How to install, upgrade and remove it: [docs/install.md](../../docs/install.md).

```sh
helm install stoker charts/stoker --namespace stoker-system --create-namespace \\
  --set image.registry=REGISTRY
```

It takes Kubernetes 1.30 or newer. Helm refuses values that are not in this list.

| value | default | meaning |
| --- | --- | --- |
{rows}
"""

# The API stays when the release goes, unless somebody asks for its end: with it goes every model.
CRD_TEMPLATE = """\
{{{{- /* Generated from crds/stoker_api by `make generate`. Do not edit. */}}}}
{{{{- if .Values.crds.install }}}}
{head}
  labels:
    {{{{- include "stoker.labels" . | nindent 4 }}}}
  {{{{- if .Values.crds.keep }}}}
  annotations:
    helm.sh/resource-policy: keep
  {{{{- end }}}}
{spec}
{{{{- end }}}}
"""


class ChartError(Exception):
    """What is wrong with what the chart is made of."""


@dataclass(frozen=True)
class Value:
    """One value that can be set, or a group of them."""

    name: str
    """With the groups that it is in: `operator.image.tag`."""
    default: Any
    description: str
    extra: dict[str, Any]
    """What its comment adds to its schema."""
    children: tuple["Value", ...] = ()

    @property
    def key(self) -> str:
        return self.name.rpartition(".")[2]


def values_of(text: str) -> tuple[Value, ...]:
    """The values of a values.yaml."""
    root = yaml.compose(text)
    assert root  # noqa: S101 - it has been written by hand, and is not empty
    return _values(root, text.splitlines(), "")


def _values(node: yaml.Node, lines: list[str], group: str) -> tuple[Value, ...]:
    loader = yaml.constructor.SafeConstructor()
    found: list[Value] = []
    for key, inner in node.value:
        name = f"{group}{key.value}"
        if any(each.name == name for each in found):
            raise ChartError(f"{name} stands here twice")
        description, extra = _comment(lines, key.start_mark.line)
        default = loader.construct_object(inner, deep=True)
        is_group = isinstance(default, dict) and default and not extra
        if not (is_group or description):
            raise ChartError(f"{name} has no comment: say above it what it is")
        if default in ([], {}) and not extra:
            raise ChartError(f"{name} is empty: say above it, after `{MARK}`, what may be in it")
        children = _values(inner, lines, f"{name}.") if is_group else ()
        found.append(Value(name, default, description, extra, children))
    return tuple(found)


def _comment(lines: list[str], line: int) -> tuple[str, dict[str, Any]]:
    """What the comment right above a line says: the words, and the schema."""
    words: list[str] = []
    marked: list[str] = []
    while line and lines[line - 1].lstrip().startswith("# "):
        line -= 1
        text = lines[line].lstrip()[2:]
        (marked if text.startswith(MARK) else words).insert(0, text.removeprefix(MARK))
    return " ".join(words), yaml.safe_load(f"{{{' '.join(marked)}}}")


def schema(values: tuple[Value, ...]) -> dict[str, Any]:
    """The JSON schema by which Helm refuses values that do not exist."""
    return {"$schema": "http://json-schema.org/draft-07/schema#"} | _group(
        values, {"global": GLOBAL}
    )


def _group(values: tuple[Value, ...], more: dict[str, Any]) -> dict[str, Any]:
    properties = {value.key: _property(value) for value in values}
    return {"type": "object", "additionalProperties": False, "properties": properties | more}


def _property(value: Value) -> dict[str, Any]:
    about = {"description": value.description} if value.description else {}
    if value.children:
        return about | _group(value.children, {})
    return about | {"type": TYPES[type(value.default)], "default": value.default} | value.extra


def readme(chart: dict[str, Any], values: tuple[Value, ...]) -> str:
    """The chart's page, with a table of all values."""
    rows = "\n".join(map(_row, _leaves(values)))
    return README.format(name=chart["name"], description=chart["description"], rows=rows)


def _leaves(values: tuple[Value, ...]) -> Iterator[Value]:
    for value in values:
        yield from _leaves(value.children) if value.children else [value]


def _row(value: Value) -> str:
    one_of = ", ".join(f"`{each}`" for each in value.extra.get("enum", ()))
    meaning = " ".join(filter(None, [value.description, one_of and f"One of {one_of}."]))
    return f"| `{value.name}` | `{json.dumps(value.default)}` | {meaning} |"


def crd_template() -> str:
    """The CustomResourceDefinition as a template: with the labels of the release."""
    definition = custom_resource_definition()
    spec = to_yaml([{"spec": definition.pop("spec")}])
    if "{{" in spec:
        raise ChartError("the CRD has {{ in it, which Helm would take for its own")
    definition["metadata"] = {"name": definition["metadata"]["name"]}
    return CRD_TEMPLATE.format(head=to_yaml([definition]).strip(), spec=spec.strip())


def generated() -> dict[Path, str]:
    """Each generated file and what should be in it."""
    values = values_of((CHART / "values.yaml").read_text())
    chart = yaml.safe_load((CHART / "Chart.yaml").read_text())
    return {
        CHART / "values.schema.json": json.dumps(schema(values), indent=2, ensure_ascii=False)
        + "\n",
        CHART / "README.md": readme(chart, values),
        CHART / "templates/crd.yaml": crd_template(),
    }
