"""The cache of the test bed holds whole entries or none."""

import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bed.cache import cached, digest_of, keep_newest


@pytest.fixture(autouse=True)
def own_cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    return tmp_path / "stoker"


def write_result(folder: Path) -> None:
    (folder / "result").write_text("made")


def refuse(_: Path) -> None:
    raise AssertionError("built twice")


def test_an_entry_is_built_once() -> None:
    entry = cached("thing", "key", write_result)
    assert (entry / "result").read_text() == "made"
    assert cached("thing", "key", refuse) == entry


def test_another_key_is_another_entry() -> None:
    assert cached("thing", "one", write_result) != cached("thing", "two", write_result)


def test_a_build_that_fails_leaves_nothing_that_counts() -> None:
    def break_halfway(folder: Path) -> None:
        write_result(folder)
        raise RuntimeError("no more disk")

    with pytest.raises(RuntimeError, match="no more disk"):
        cached("thing", "key", break_halfway)
    assert (cached("thing", "key", write_result) / "result").exists()


def test_what_a_killed_build_left_is_removed_by_the_next(own_cache: Path) -> None:
    left = own_cache / "thing" / ".key.tmpabc"
    left.mkdir(parents=True)
    cached("thing", "key", write_result)
    assert not left.exists()


@pytest.mark.parametrize("content", [None, "", "ma"])
def test_an_entry_that_lost_something_is_built_again(content: str | None) -> None:
    result = cached("thing", "key", write_result) / "result"
    result.unlink() if content is None else result.write_text(content)
    cached("thing", "key", write_result)
    assert result.read_text() == "made"


def test_an_entry_that_nobody_vouches_for_is_built_again(own_cache: Path) -> None:
    (own_cache / "thing/key").mkdir(parents=True)
    assert (cached("thing", "key", write_result) / "result").exists()


def test_only_the_newest_entries_are_kept() -> None:
    entries = [cached("thing", key, write_result) for key in ("one", "two", "three")]
    for age, entry in enumerate(reversed(entries)):
        os.utime(entry, (1000 - age, 1000 - age))
    keep_newest("thing", 2)
    assert [entry.exists() for entry in entries] == [False, True, True]


def test_two_at_the_same_time_build_it_once() -> None:
    built: list[Path] = []
    both_are_here = threading.Barrier(2)

    def build(folder: Path) -> None:
        built.append(folder)
        write_result(folder)

    def ask(_: int) -> Path:
        both_are_here.wait(timeout=10)
        return cached("thing", "key", build)

    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(ask, range(2))
    assert first == second
    assert len(built) == 1


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (("ab", "c"), ("a", "bc")),
        (("a",), ("a", "")),
        ((b"a",), (b"b",)),
    ],
)
def test_parts_that_differ_have_other_digests(
    one: tuple[str | bytes, ...], other: tuple[str | bytes, ...]
) -> None:
    assert digest_of(*one) != digest_of(*other)


def test_the_digest_of_a_folder_is_about_names_and_contents(tmp_path: Path) -> None:
    for name in ("one", "same", "renamed"):
        (tmp_path / name).mkdir()
    (tmp_path / "one/file").write_text("content")
    (tmp_path / "same/file").write_text("content")
    (tmp_path / "renamed/elif").write_text("content")
    assert digest_of(tmp_path / "one") == digest_of(tmp_path / "same")
    assert digest_of(tmp_path / "one") != digest_of(tmp_path / "renamed")
