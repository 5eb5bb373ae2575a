"""YAML and JSON documents, in and out.

What is read remembers where it stood, so that a problem can be pointed at by its line.
"""

import json
import re
import sys
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from stoker_operator.errors import UnreadableFileError

STANDARD_INPUT = "-"
_SUFFIXES = (".yaml", ".yml", ".json")
_MOST_VALUES = 300_000
_DEEPEST = 100
_IMMODEST = (
    f"nested deeper than {_DEEPEST}, or more than {_MOST_VALUES:,} values once its aliases are"
    " written out"
)


class _Loader(yaml.SafeLoader):
    """YAML as Kubernetes reads it: no dates, and no key twice."""

    yaml_implicit_resolvers = {
        first: [(tag, pattern) for tag, pattern in resolvers if not tag.endswith(":timestamp")]
        for first, resolvers in yaml.SafeLoader.yaml_implicit_resolvers.items()
    }

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:  # noqa: FBT001, FBT002
        seen: set[str] = set()
        for key in (key for key, _ in node.value if isinstance(key, yaml.ScalarNode)):
            if key.value in seen:
                raise yaml.MarkedYAMLError(
                    problem=f"the key {key.value!r} stands here twice", problem_mark=key.start_mark
                )
            seen.add(key.value)
        return super().construct_mapping(node, deep)


def _construct_number(_: _Loader, node: yaml.ScalarNode) -> int | float:
    text: str = node.value
    return int(text, 8) if "o" in text else float(text)


# Numbers to `kubectl`, which reads YAML 1.2, and words to PyYAML: `1e3`, `0o17`, `08`.
_NUMBER = (
    "!number",
    re.compile(r"[-+]?(0o[0-7_]+|(\.[0-9]+|[0-9][0-9_]*(\.[0-9_]*)?)([eE][-+]?[0-9]+)?)$"),
    list("-+.0123456789"),
)
_Loader.add_implicit_resolver(*_NUMBER)
_Loader.add_constructor("!number", _construct_number)


@dataclass(frozen=True)
class Document:
    """One object of a file."""

    source: str
    number: int
    value: Any
    node: yaml.Node

    def line(self, path: tuple[str | int, ...]) -> int:
        """The line on which `path` stands; of what is missing, the line of what should have it."""
        node, line = self.node, self.node.start_mark.line
        for step in path:
            found = _child(node, step)
            if found is None:
                break
            line, node = found
        return line + 1


def _child(node: yaml.Node, step: str | int) -> tuple[int, yaml.Node] | None:
    """The line and the node of what `step` leads to."""
    if isinstance(node, yaml.MappingNode):
        for key, value in node.value:
            if key.value == step:
                return key.start_mark.line, value
    if isinstance(node, yaml.SequenceNode) and isinstance(step, int) and step < len(node.value):
        return node.value[step].start_mark.line, node.value[step]
    return None


def read_all(names: Iterable[str]) -> Iterator[Document]:
    """Every object in the files, folders and standard input (`-`) that are named."""
    for name in names:
        for source in _sources(name):
            yield from _read(source)


def _sources(name: str) -> list[str]:
    path = Path(name)
    if name == STANDARD_INPUT or not path.is_dir():
        return [name]
    files = sorted(str(file) for file in path.iterdir() if file.suffix in _SUFFIXES)
    if not files:
        raise UnreadableFileError(f"{name}: this folder has no {', '.join(_SUFFIXES)} files")
    return files


def _read(source: str) -> Iterator[Document]:
    shown = "standard input" if source == STANDARD_INPUT else source
    try:
        text = sys.stdin.read() if source == STANDARD_INPUT else Path(source).read_text("utf-8")
        yield from _parse(shown, text)
    except OSError as error:
        raise UnreadableFileError(f"{shown}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise UnreadableFileError(f"{shown}: not UTF-8 text ({error.reason})") from error
    except yaml.YAMLError as error:
        raise UnreadableFileError(f"{shown}{_explained(error)}") from error
    except RecursionError as error:
        raise UnreadableFileError(f"{shown}: {_IMMODEST}") from error


def _parse(shown: str, text: str) -> Iterator[Document]:
    loader = _Loader(text)
    number = 0
    while loader.check_node() and (node := loader.get_node()):
        number += 1
        value = loader.construct_document(node)
        if value is None:  # nothing between two `---`
            continue
        if not _is_modest(value):
            raise UnreadableFileError(f"{shown}: document {number}: {_IMMODEST}")
        if isinstance(value, dict) and value.get("kind") == "List":
            _, items = _child(node, "items") or (0, yaml.SequenceNode("", []))
            for item, item_node in zip(value.get("items") or [], items.value, strict=False):
                yield Document(shown, number, item, item_node)
        else:
            yield Document(shown, number, value, node)


def _is_modest(value: Any) -> bool:
    """Whether it can be written down: a few aliases can stand for more than any machine holds."""
    rest, seen = [(value, 1)], 0
    while rest:
        node, depth = rest.pop()
        seen += 1
        if seen > _MOST_VALUES or depth > _DEEPEST:
            return False
        inner = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
        rest += [(each, depth + 1) for each in inner]
    return True


def _explained(error: yaml.YAMLError) -> str:
    if isinstance(error, yaml.MarkedYAMLError) and error.problem_mark:
        return f":{error.problem_mark.line + 1}: not YAML: {error.problem}"
    return f": not YAML: {error}"


class _Dumper(yaml.CSafeDumper):
    """YAML as people write it: in the given order, texts of several lines as blocks."""

    def ignore_aliases(self, data: Any) -> bool:  # noqa: ARG002
        return True


def _represent_text(dumper: _Dumper, text: str) -> yaml.ScalarNode:
    style = "|" if "\n" in text else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style=style)


_Dumper.add_representer(str, _represent_text)
_Dumper.add_implicit_resolver(*_NUMBER)  # so that it quotes words that look like that


def to_yaml(manifests: list[Any]) -> str:
    """The manifests as YAML documents."""
    return yaml.dump_all(manifests, Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=100)


def to_json(manifests: list[Any]) -> str:
    """The manifests as JSON: several make a List, as `kubectl` writes them."""
    several = {"apiVersion": "v1", "kind": "List", "items": manifests}
    return json.dumps(manifests[0] if len(manifests) == 1 else several, indent=2) + "\n"
