"""Who plays, whatever is on PATH."""

import os
from pathlib import Path

import pytest

from stoker_demo import cast
from stoker_demo.errors import DemoError
from stoker_operator.local.machine import machine


@pytest.fixture
def programs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an Ollama and another program, the only one on PATH."""
    folder = tmp_path / "bin"
    folder.mkdir()
    for name in ("ollama", "mkfifo"):
        (folder / name).touch(mode=0o755)
    monkeypatch.setenv("PATH", str(folder))
    return folder


def test_the_simulator_plays_even_where_there_is_an_ollama(programs: Path, tmp_path: Path) -> None:
    assert (programs / "ollama").exists()
    players = cast.simulated()
    assert players.flags == ("--ollama=simulator",)
    assert machine(players.ollama, tmp_path).server.is_simulator
    assert players.replicas == 2


def test_a_real_ollama_brings_models_of_its_own(
    programs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OLLAMA_MODELS", "the user's own")
    players = cast.real("real", tmp_path / "models")
    assert players.flags == (f"--ollama={programs / 'ollama'}",)
    assert os.environ["OLLAMA_MODELS"] == str(tmp_path / "models")
    manifests = tmp_path / "models/manifests/registry.ollama.ai/library"
    assert {each.name for each in manifests.iterdir()} == {"tiny", "other"}


def test_an_ollama_that_is_not_there_is_told_in_a_sentence(programs: Path, tmp_path: Path) -> None:
    (programs / "ollama").unlink()
    with pytest.raises(DemoError, match="there is no `ollama` on PATH: install it"):
        cast.real("real", tmp_path)
    with pytest.raises(DemoError, match="/nowhere/ollama is no program"):
        cast.real("/nowhere/ollama", tmp_path)
