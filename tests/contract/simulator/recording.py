"""A pytest plugin that writes down how each test ended: `-p contract.simulator.recording`."""

import json
from collections.abc import Generator
from pathlib import Path

import pytest

_OUTCOMES = pytest.StashKey[dict[str, dict[str, object]]]()


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--record", type=Path, required=True, help="the file to write it into")


def pytest_configure(config: pytest.Config) -> None:
    config.stash[_OUTCOMES] = {}


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Function,
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    report = yield
    outcomes = item.config.stash[_OUTCOMES]
    name = f"{item.path.stem}::{item.originalname}"
    pitfalls = [marker.args[0] for marker in item.iter_markers("p")]
    known = outcomes.setdefault(name, {"outcome": report.outcome, "pitfalls": pitfalls})
    # One case of a test, or one step of a case, that does not pass is the outcome of all.
    if known["outcome"] == "passed":
        known["outcome"] = report.outcome
    return report


def pytest_sessionfinish(session: pytest.Session) -> None:
    path: Path = session.config.getoption("--record")
    path.write_text(json.dumps(session.config.stash[_OUTCOMES]))
