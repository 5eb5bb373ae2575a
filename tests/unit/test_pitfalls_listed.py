"""The page about pitfalls says what is tested: neither more nor something else."""

import ast
import functools
import re
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).parents[2]
PAGE = REPOSITORY / "docs/pitfalls.md"
PITFALLS = range(1, 45)
_TEST = re.compile(r"\[`(test_\w+)`\]\(\.\./(tests/[\w/]+\.py)\)")


@dataclass(frozen=True)
class Row:
    """A pitfall, as the page has it."""

    number: int
    shown: str

    @property
    def tests(self) -> list[tuple[str, str]]:
        """The names of its tests, and the files that they are in."""
        return _TEST.findall(self.shown)


def rows() -> list[Row]:
    """Every numbered row of the page."""
    found = re.findall(r"^\| (\d+) \|.*\| ([^|]+) \|$", PAGE.read_text(), re.MULTILINE)
    return [Row(int(number), shown) for number, shown in found]


@functools.cache
def marked(file: str) -> dict[str, set[int]]:
    """The tests in a file, with the pitfalls that they are marked with."""
    functions = ast.parse((REPOSITORY / file).read_text()).body
    return {
        function.name: {
            number for decorator in function.decorator_list for number in _numbers(decorator)
        }
        for function in functions
        if isinstance(function, ast.FunctionDef)
    }


def _numbers(decorator: ast.expr) -> set[int]:
    """The N of every `pytest.mark.p(N)`, also of one case of several."""
    return {
        call.args[0].value
        for call in ast.walk(decorator)
        if isinstance(call, ast.Call)
        and isinstance(call.func, ast.Attribute)
        and call.func.attr == "p"
        and isinstance(call.args[0], ast.Constant)
        and isinstance(call.args[0].value, int)
    }


def test_every_pitfall_is_listed_once_and_in_order() -> None:
    assert [row.number for row in rows()] == list(PITFALLS)


@pytest.mark.parametrize("row", rows(), ids=lambda row: f"P{row.number}")
def test_a_pitfall_has_tests_that_exist_and_bear_its_number_or_a_sentence(row: Row) -> None:
    for name, file in row.tests:
        assert row.number in marked(file).get(name, set()), f"{name} in {file}"
    assert row.tests or re.fullmatch(r"No test: [A-Z].*\.", row.shown)


def test_every_test_that_is_named_exists() -> None:
    text = PAGE.read_text()
    named = _TEST.findall(text)
    assert len(named) == text.count("`test_") - len(re.findall(r"`test_[\w…]+\.py`", text))
    for name, file in named:
        assert name in marked(file), f"{name} in {file}"


def test_every_test_about_pitfalls_alone_is_on_the_page() -> None:
    listed = set(_TEST.findall(PAGE.read_text()))
    folder = REPOSITORY / "tests/contract/sidecar"
    for path in folder.glob("test_pitfalls_*.py"):
        file = str(path.relative_to(REPOSITORY))
        tests = {(name, file) for name in marked(file) if name.startswith("test_")}
        assert tests <= listed, tests - listed
