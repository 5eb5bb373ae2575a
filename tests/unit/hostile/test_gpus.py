"""A driver or a container that names GPUs in odd ways: read plainly, or refused in a sentence."""

from pathlib import Path

import pynvml
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from stoker_sidecar.gpu.devices import Device, GpuError, chosen, of_container
from stoker_sidecar.gpu.library import Library, NvmlError
from stoker_sidecar.gpu.machine import machine
from unit.hostile.junk import NASTY, calm, texts

SEEN = (Device(0, "GPU-0", 0), Device(1, "GPU-1", 1, ("MIG-1",)))


def refusal(text: str) -> str:
    try:
        chosen(text, SEEN)
    except GpuError as error:
        return str(error)
    return ""


@calm
@given(st.lists(texts | st.sampled_from(["GPU-0", "all", "/dev/nvidia0"]), max_size=3))
@example(["", "/dev/nvidia" + "9" * 5000])
@example(["GPU-\x1b[2J"])
def test_what_a_container_says_of_its_gpus_is_understood_or_refused(lines: list[str]) -> None:
    found = refusal("\n".join(lines))
    assert found.isprintable(), found
    assert len(found) < 1000


@pytest.mark.parametrize("content", [b"", b"\xff\n", b"x" * 100_000, b"\0" * 20_000 + b"\n"])
def test_a_file_of_any_content_is_understood_or_refused(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "gpus"
    file.write_bytes(content)
    with pytest.raises(GpuError) as caught:
        of_container(file)(SEEN)
    assert str(caught.value).isprintable()


@pytest.mark.parametrize("name", [word for word in NASTY if word != "\ud800"])
def test_a_driver_may_name_a_gpu_as_it_likes(monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    answers = {
        "nvmlDeviceGetCount": 1,
        "nvmlDeviceGetHandleByIndex": "handle",
        "nvmlDeviceGetUUID": f"GPU-{name}",
        "nvmlDeviceGetName": name,
        "nvmlDeviceGetMinorNumber": 0,
        "nvmlDeviceGetMigMode": [0, 0],
    }
    for call, answer in answers.items():
        told = _call(call, answer)
        monkeypatch.setattr(pynvml, call, told)
    (unit,) = machine(Library()).units.values()
    assert unit.uuid.isprintable()
    assert unit.name.isprintable()


def _call(name: str, answer: object) -> object:
    def call(*_: object) -> object:
        return answer

    call.__name__ = name
    return call


def test_bytes_that_are_no_text_are_an_error_of_nvmls() -> None:
    with pytest.raises(NvmlError, match="bytes that are no text"):
        Library().ask(b"\xff".decode)
