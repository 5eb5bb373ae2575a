"""The settings: where they come from, what is refused, and that there is one truth about them."""

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from stoker_api import wire
from stoker_api.errors import InvalidManifestError
from stoker_operator.desired.heat import heat_config
from stoker_sidecar.config import LOOK_SECONDS, ConfigError, HeatFile, complaint, defaults, read
from support.manifests import Json, merged, resource
from support.specs import specs

DEFAULTS = defaults(uses_gpu=False)
QUICKER = replace(DEFAULTS, heartbeat=replace(DEFAULTS.heartbeat, interval_seconds=0.2))


class Clock:
    """A clock that each look moves on by as much as lies between two looks."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += LOOK_SECONDS
        return self.now


@pytest.fixture
def mount(tmp_path: Path) -> "Mount":
    return Mount(tmp_path)


class Mount:
    """A mounted ConfigMap, as the kubelet makes it: `heat.json` → `..data/heat.json`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._versions = 0
        self.path = folder / wire.HEAT_FILE
        self.update(DEFAULTS.to_json())
        self.path.symlink_to(f"..data/{wire.HEAT_FILE}")

    def update(self, text: str | bytes | None) -> None:
        self._versions += 1
        version = self._folder / f"..version_{self._versions}"
        version.mkdir()
        if text is not None:
            (version / wire.HEAT_FILE).write_bytes(text.encode() if isinstance(text, str) else text)
        (self._folder / "..data_tmp").symlink_to(version.name)
        (self._folder / "..data_tmp").rename(self._folder / "..data")


@pytest.mark.parametrize("spec", [{}, {"gpu": {}}], ids=["without a GPU", "with one"])
def test_the_defaults_are_those_of_the_operator(spec: Json) -> None:
    made = heat_config(resource(spec))
    without_a_service = replace(made, routing=replace(made.routing, service_url=None))
    assert without_a_service == defaults(uses_gpu=bool(made.gpu))


def valid(spec: Json) -> Iterator[wire.HeatConfig]:
    try:
        yield heat_config(resource(spec))
    except InvalidManifestError:
        return  # what the API refuses never becomes a file


@settings(suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(specs)
def test_whatever_the_operator_writes_is_accepted(spec: Json) -> None:
    for config in valid(spec):
        assert complaint(wire.HeatConfig.from_json(config.to_json())) is None


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"keepAliveSeconds": 0}, "keepAliveSeconds: must be -1 (without end), or 10 or more"),
        (
            {"keepAliveSeconds": 10**12},
            "keepAliveSeconds: must be from -1 to 1e+09, not 1e+12",
        ),
        (
            {"heartbeat": {"intervalSeconds": 0}},
            "heartbeat.intervalSeconds: must be from 0.1 to 60, not 0",
        ),
        (
            {"heartbeat": {"intervalSeconds": float("nan")}},
            "heartbeat.intervalSeconds: must be from 0.1 to 60, not nan",
        ),
        (
            {"warmup": {"deadlineSeconds": float("inf")}},
            "warmup.deadlineSeconds: must be from 10 to 604800, not inf",
        ),
        ({"warmup": {"prompts": []}}, "warmup.prompts: how many: must be from 1 to 8, not 0"),
        (
            {"warmup": {"prompts": ["a", ""]}},
            "warmup.prompts: must not hold an empty prompt, which only loads the model",
        ),
        (
            {"warmup": {"prompts": ["a" * 5000]}},
            "warmup.prompts: the longest: must be from 0 to 4096, not 5000",
        ),
        (
            {
                "gpu": {
                    "memoryBudgetBytes": None,
                    "onOverBudget": "Warn",
                    "minOffloadRatio": 1.5,
                }
            },
            "gpu.minOffloadRatio: must be from 0 to 1, not 1.5",
        ),
        (
            {"routing": {"serviceUrl": "file:///etc/passwd"}},
            "routing.serviceUrl: must begin with http:// or https://, not 'file:///etc/passwd'",
        ),
        ({"gate": 1}, "gate: must be an object; the API reference lists what is allowed"),
    ],
    ids=lambda value: value[:60] if isinstance(value, str) else "",
)
def test_what_is_out_of_bounds_is_refused_with_its_place(
    change: dict[str, Any], sentence: str, tmp_path: Path
) -> None:
    document = json.loads(DEFAULTS.to_json())
    path = tmp_path / "heat.json"
    path.write_text(json.dumps(_laid_over(document, change)))
    with pytest.raises(ConfigError) as caught:
        read(path)
    assert str(caught.value) == f"{path}: {sentence}"


def _laid_over(document: Json, change: Json) -> Json:
    """As `merged`, but None is a value here."""
    gpu = change.pop("gpu", document["gpu"])
    return {**merged(document, change), "gpu": gpu}


@given(st.one_of(st.binary(max_size=200), st.text(max_size=200).map(str.encode)))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_bytes_bring_another_error(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "heat.json"
    path.write_bytes(content)
    with pytest.raises(ConfigError):
        read(path)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 500_000,
        DEFAULTS.to_json().replace("0.5", "1" + "0" * 400),
        DEFAULTS.to_json() + " " * 2**20,
        "\ud800".encode("utf-16", "surrogatepass"),
    ],
    ids=["a deep document", "a number beyond floats", "more than a mebibyte", "half a character"],
)
def test_what_would_break_a_parser_is_refused(text: str | bytes, mount: Mount) -> None:
    mount.update(text)
    with pytest.raises(ConfigError):
        read(mount.path)


def test_what_is_not_a_file_is_refused(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "fifo")
    for path in (tmp_path / "fifo", tmp_path):
        with pytest.raises(ConfigError, match="is not a file"):
            read(path)


def test_a_missing_file_is_said_with_what_to_do(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as caught:
        HeatFile(tmp_path / "heat.json")
    assert "heat.json cannot be read (No such file or directory)" in str(caught.value)
    assert "leave the file out to use the defaults" in str(caught.value)


def test_a_change_is_taken_up_through_the_swap_of_a_mounted_folder(mount: Mount) -> None:
    file = HeatFile(mount.path, Clock())
    assert file.config == DEFAULTS
    assert not file.look(), "nothing has changed"
    mount.update(QUICKER.to_json())
    assert file.look()
    assert file.config == QUICKER
    assert not file.look()


def test_a_file_that_is_overwritten_in_place_is_read_again(mount: Mount) -> None:
    file = HeatFile(mount.path, Clock())
    mount.path.write_text(QUICKER.to_json())
    assert file.look()
    assert file.config == QUICKER


def test_a_bad_version_leaves_the_last_good_one_and_is_counted_once(mount: Mount) -> None:
    file = HeatFile(mount.path, Clock())
    for bad, said in (("{", "not JSON"), (None, "cannot be read")):
        mount.update(bad)
        assert not file.look()
        assert not file.look()
        assert file.config == DEFAULTS
        assert said in str(file.error)
    assert file.errors == 2


def test_a_good_version_clears_the_error(mount: Mount) -> None:
    file = HeatFile(mount.path, Clock())
    mount.update("{")
    file.look()
    mount.update(DEFAULTS.to_json())
    assert not file.look(), "it is what is in force"
    assert file.error is None
    assert file.errors == 1


def test_it_is_looked_at_once_a_second(mount: Mount) -> None:
    now = [0.0]
    file = HeatFile(mount.path, lambda: now[0])
    mount.update(QUICKER.to_json())
    now[0] = LOOK_SECONDS - 0.01
    assert not file.look()
    now[0] = LOOK_SECONDS
    assert file.look()
