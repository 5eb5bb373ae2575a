"""The table of all reasons, made from the words beside each in `reasons`."""

import ast
import inspect
import re
from collections.abc import Iterator

from stoker_api import reasons

_HEAD = """\
# Reasons

<!-- Generated from crds/stoker_api/reasons.py by `make generate`. Do not edit. -->

Why a model is hot, or is not. The sidecar gives one of these words in `/status`, in the pod
condition `stoker.dev/hot`, on its page, in its log and in its metrics, each time with a sentence
that has the numbers. A word never changes its meaning.

The gate is open in the states `Hot` and `Suspect`, and shut in all others. A planned end
(`Draining`) shuts it in any state; `TreatedAsHot` says that a person has opened it in spite of the
state.
"""


def reasons_reference() -> str:
    """The page."""
    parts = [_HEAD]
    for title, rows in _groups():
        parts.append(f"## {title}\n\n| reason | meaning |\n| --- | --- |\n" + "".join(rows))
    return "\n".join(parts)


def _groups() -> Iterator[tuple[str, list[str]]]:
    """Each group of reasons, under the comment that begins it."""
    source = inspect.getsource(reasons)
    starts = [
        (number, found[1])
        for number, line in enumerate(source.splitlines(), 1)
        if (found := re.fullmatch(r"    # (.*)", line))
    ]
    members = dict(_members(source))
    ends = [number for number, _ in starts[1:]] + [len(source)]
    for (start, title), end in zip(starts, ends, strict=True):
        yield title, [row for line, row in members.items() if start < line < end]


def _members(source: str) -> Iterator[tuple[int, str]]:
    """Each reason's line in the file, and its row in the table."""
    words = {
        node.name: node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.ClassDef)
    }["Reason"].body
    for node, after in zip(words, [*words[1:], None], strict=True):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant):
            text = ""
            if isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
                text = " ".join(str(after.value.value).split())
            yield node.lineno, f"| `{node.value.value!s}` | {text} |\n"
