"""docs/status.md knows every word that a status can hold."""

import re
from pathlib import Path
from typing import get_args

import pytest

from stoker_api.status import Phase
from stoker_operator.observed.conditions import CHAINS
from stoker_operator.observed.heats import Heat
from stoker_operator.observed.obstacles import REASONS
from stoker_operator.observed.reasons import Reason

PAGE = (Path(__file__).parents[3] / "docs/status.md").read_text()
SIDECARS = (Path(__file__).parents[3] / "docs/sidecar.md").read_text()


@pytest.mark.parametrize("word", [*get_args(Phase), *Reason, *REASONS])
def test_each_word_is_on_the_page(word: str) -> None:
    assert f"`{word}`" in PAGE


@pytest.mark.parametrize("heat", [*Heat])
def test_each_heat_is_on_the_page_or_on_the_sidecar_s(heat: str) -> None:
    assert f"`{heat}`" in PAGE + SIDECARS


def test_each_condition_has_its_table() -> None:
    assert set(re.findall(r"^### (\w+)$", PAGE, re.MULTILINE)) == {*CHAINS, "Unknown"}
