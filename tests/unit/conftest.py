"""Unit tests touch no network, and can accept new golden files."""

import os

import pytest
from hypothesis import settings
from pytest_socket import disable_socket

# A machine that decides about a change judges every change by the same examples; people explore.
settings.register_profile("ci", derandomize=True)
if os.environ.get("CI"):
    settings.load_profile("ci")


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew, then look at git diff",
    )


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket()
