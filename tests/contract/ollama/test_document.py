"""The page that tells what Ollama does is about these tests, and about all of them."""

import re
from pathlib import Path

HERE = Path(__file__).parent
PAGE = HERE.parents[2] / "docs" / "ollama-behaviour.md"


def test_every_fact_of_the_page_has_its_test_and_every_test_is_a_fact_of_the_page() -> None:
    sources = (file.read_text() for file in HERE.glob("test_*.py") if file != Path(__file__))
    tests = {name for source in sources for name in re.findall(r"(?m)^def (test_\w+)", source)}
    assert set(re.findall(r"`(test_\w+)`", PAGE.read_text())) == tests
