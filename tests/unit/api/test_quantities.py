from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_api import quantities
from stoker_api.quantities import Quantity


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("1", "1"),
        ("8Gi", "8589934592"),
        ("1.5Gi", "1610612736"),
        ("500m", "0.5"),
        ("500M", "500000000"),
        ("100n", "0.0000001"),
        ("1e3", "1000"),
        ("1E-2", "0.01"),
        ("2E", "2000000000000000000"),
        ("-1Ki", "-1024"),
        ("5.", "5"),
        (".5", "0.5"),
    ],
)
def test_a_quantity_is_read_exactly(text: str, value: str) -> None:
    assert quantities.parse(text) == Decimal(value)


@pytest.mark.parametrize("text", ["", "Gi", "8GB", "8 Gi", "8gi", "1K", "e3", "1e", "٣", "1Gi\n"])
def test_what_kubernetes_refuses_is_not_a_quantity(text: str) -> None:
    assert quantities.parse(text) is None


@given(st.integers(0, 10**15), st.sampled_from(["", "Ki", "Mi", "k", "M"]))
def test_whole_amounts_are_whole(count: int, suffix: str) -> None:
    quantity = Quantity(f"{count}{suffix}")
    assert quantity.value == quantity.whole
    assert Quantity(str(quantity.whole)).value == quantity.value


def test_a_broken_byte_counts_as_one() -> None:
    assert Quantity("0.1").whole == 1
    assert Quantity("1500m").whole == 2
