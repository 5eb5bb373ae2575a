"""Tests of the chart can accept new golden files."""

import pytest


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden-chart",
        action="store_true",
        help="write the chart's golden files anew, then look at git diff",
    )
