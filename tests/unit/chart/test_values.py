"""What the comments of a values.yaml become."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest
from jsonschema import Draft7Validator

ROOT = Path(__file__).parents[3]

VALUES = """\
# About the file, and about no value.

# How many,
# all in all.
# @schema minimum: 1
count: 2
group:
  # @schema enum: [a, b]
  # A letter.
  letter: a
  # Words.
  # @schema items: {type: string}
  words: []
  # Anybody's.
  # @schema additionalProperties: {type: string}
  labels: {app: x}
"""


def script() -> ModuleType:
    """tools/chart.py, which is no part of a package."""
    spec = importlib.util.spec_from_file_location("chart", ROOT / "tools/chart.py")
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


CHART = script()


def complaints(values: Any) -> list[str]:
    found = Draft7Validator(CHART.schema(CHART.values_of(VALUES))).iter_errors(values)
    return [error.message for error in found]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ({"count": 3, "group": {"letter": "b", "words": ["x"], "labels": {"y": "z"}}}, None),
        ({"global": {"anything": 1}}, None),
        ({"count": 0}, "0 is less than the minimum of 1"),
        ({"count": "2"}, "'2' is not of type 'integer'"),
        ({"group": {"letter": "c"}}, "'c' is not one of ['a', 'b']"),
        ({"group": {"words": [1]}}, "1 is not of type 'string'"),
        ({"group": {"labels": {"y": 1}}}, "1 is not of type 'string'"),
        ({"group": {"word": []}}, "('word' was unexpected)"),
        ({"groups": {}}, "('groups' was unexpected)"),
    ],
    ids=str,
)
def test_the_schema_says_what_may_be_set(values: Any, complaint: str | None) -> None:
    said = complaints(values)
    assert said == [] if complaint is None else complaint in said[0]


def test_the_table_says_what_each_value_is() -> None:
    about = {"name": "stoker", "description": "A chart"}
    rows = CHART.readme(about, CHART.values_of(VALUES)).splitlines()
    assert rows[-4:] == [
        "| `count` | `2` | How many, all in all. |",
        '| `group.letter` | `"a"` | A letter. One of `a`, `b`. |',
        "| `group.words` | `[]` | Words. |",
        '| `group.labels` | `{"app": "x"}` | Anybody\'s. |',
    ]


@pytest.mark.parametrize(
    ("values", "complaint"),
    [
        ("a:\n  b: 1\n", "a.b has no comment: say above it what it is"),
        ("# Some.\na: []\n", "a is empty: say above it, after `@schema`, what may be in it"),
        ("# One.\na: 1\n# Two.\na: 2\n", "a stands here twice"),
    ],
)
def test_a_value_that_nobody_can_understand_is_refused(values: str, complaint: str) -> None:
    with pytest.raises(CHART.ChartError, match=complaint):
        CHART.values_of(values)
