"""The words of others, as they are shown."""

import json

import pytest

from stoker_api.words import escaped, one_line


@pytest.mark.parametrize(
    ("words", "line"),
    [
        ("phi3 is hot", "phi3 is hot"),
        ("é … 模型", "é … 模型"),
        ("two\nlines\r\n", "two lines"),
        ("\x1b[31mred\x9b0m", "[31mred 0m"),
        ("half \ud800", "half ?"),
        ("\u202eright to left", "right to left"),
        ("\0", ""),
    ],
)
def test_words_on_one_line_are_without_what_cannot_be_seen(words: str, line: str) -> None:
    assert one_line(words) == line


@pytest.mark.parametrize(
    "words", ["plain", "é …", "a\nb", "\x1b[0m", "\ud800", "\U000e0001", "\\n"]
)
def test_nothing_of_words_that_are_escaped_is_lost(words: str) -> None:
    inside = json.dumps(words, ensure_ascii=False)
    assert escaped(inside).isprintable()
    assert json.loads(escaped(inside)) == words
