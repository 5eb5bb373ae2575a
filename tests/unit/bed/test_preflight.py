"""A machine on which no bed can be made is told why, and what to do."""

import os
import platform
import shutil
from types import SimpleNamespace

import pytest

from bed.errors import BedError
from bed.preflight import check_machine, check_system


@pytest.mark.parametrize(
    ("module", "function", "answer", "message"),
    [
        (platform, "system", "Darwin", "needs Linux.*KUBECONFIG=… make cluster-test"),
        (os, "geteuid", 1000, "run it as root"),
    ],
)
def test_a_system_without_beds_is_said(
    monkeypatch: pytest.MonkeyPatch, module: object, function: str, answer: object, message: str
) -> None:
    monkeypatch.setattr(platform, "system", lambda: "Linux")
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    monkeypatch.setattr(module, function, lambda: answer)
    with pytest.raises(BedError, match=message):
        check_system()


def test_a_missing_tool_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: None)
    with pytest.raises(BedError, match="nsenter is missing: install the package util-linux"):
        check_machine()


def test_a_full_disk_is_said(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shutil, "which", lambda _: "/bin/true")
    monkeypatch.setattr("bed.preflight._check_namespaces", lambda: None)
    monkeypatch.setattr("bed.preflight._check_bridge_filter", lambda: None)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: SimpleNamespace(free=1024**3))
    with pytest.raises(BedError, match=r"1\.0 GiB are free at .*make room"):
        check_machine()
