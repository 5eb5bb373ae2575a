"""Files that nobody would write, as `stoker render` and `stoker validate` read them."""

from pathlib import Path

import pytest

from stoker_operator.documents import read_all, to_yaml
from stoker_operator.errors import UnreadableFileError

BOMB = "a0: &a0 [x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"a{level}: &a{level} [{', '.join([f'*a{level - 1}'] * 9)}]\n" for level in range(1, 9)
)
FILES = {
    "depth": f"a: {'[' * 400}{']' * 400}",
    "depth of maps": "{a: " * 110 + "}" * 110,
    "a value in itself": "a: &a {b: *a}",
    "a bomb of aliases": BOMB,
    "a key twice": "a: 1\na: 2",
    "a control character": "a: \x1b[2J",
    "a program": "!!python/object/apply:os.system [id]",
}


@pytest.mark.parametrize("text", FILES.values(), ids=FILES)
def test_a_file_of_another_kind_is_refused_in_a_sentence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "odd.yaml"
    file.write_text(text)
    with pytest.raises(UnreadableFileError) as caught:
        list(read_all([str(file)]))
    assert str(caught.value).startswith(str(file))
    assert "\x1b" not in str(caught.value)


def test_aliases_are_welcome(tmp_path: Path) -> None:
    file = tmp_path / "good.yaml"
    file.write_text("a: &a {b: [1, 2]}\nc: *a\n")
    (document,) = read_all([str(file)])
    assert document.value == {"a": {"b": [1, 2]}, "c": {"b": [1, 2]}}


@pytest.mark.parametrize("word", ["1e3", "1e+3", "1.e2", "0o17", "08", "+1", ".5", "1_0", "0x1f"])
def test_words_that_kubectl_takes_for_numbers_are_numbers_unless_they_are_quoted(
    tmp_path: Path, word: str
) -> None:
    # Each was given to a real kubectl without quotes: "cannot unmarshal number".
    assert to_yaml([{"a": word}]) == f"a: '{word}'\n"
    file = tmp_path / "words.yaml"
    file.write_text(f"plain: {word}\nquoted: '{word}'\n")
    (document,) = read_all([str(file)])
    assert isinstance(document.value["plain"], int | float)
    assert document.value["quoted"] == word
