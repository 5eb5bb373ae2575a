"""Unit tests touch no network, and can accept new golden files."""

import pytest
from pytest_socket import disable_socket


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write the golden files anew, then look at git diff",
    )


@pytest.fixture(autouse=True)
def _no_network() -> None:
    disable_socket()
