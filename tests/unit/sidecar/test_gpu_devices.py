"""Which GPUs are the pod's, from what its ollama container has written."""

import os
from pathlib import Path

import pytest

from stoker_sidecar.gpu.devices import (
    Device,
    MissingError,
    UntoldError,
    chosen,
    of_container,
    of_machine,
)

# As on a machine whose minor numbers do not follow NVML's order.
A = Device(0, "GPU-a", minor=2)
B = Device(1, "GPU-b", minor=0)
C = Device(2, "GPU-c", minor=1)
MACHINE = (A, B, C)
DIVIDED = Device(3, "GPU-d", minor=3, parts=("MIG-1", "MIG-2"))
LOST = Device(4, uuid=None)
UNNUMBERED = Device(5, "GPU-e", minor=None)

FOUND = {
    "device plugin, list in the environment: a UUID": ("GPU-b\n/dev/nvidia0\n", ["GPU-b"]),
    "two UUIDs, in the order given": ("GPU-c,GPU-a\n", ["GPU-c", "GPU-a"]),
    "a UUID and no device node, as on WSL": ("GPU-a\n", ["GPU-a"]),
    "device plugin, indices: the nodes say which they are": ("0\n/dev/nvidia2\n", ["GPU-a"]),
    "indices and no device node": ("0,2\n", ["GPU-a", "GPU-c"]),
    "device plugin, list as mounts: the nodes say": (
        "/var/run/nvidia-container-devices\n/dev/nvidia1\n",
        ["GPU-c"],
    ),
    "CDI: the variable is void, the nodes say": ("void\n/dev/nvidia0\n", ["GPU-b"]),
    "CDI by annotation: `all` is from the image, the nodes say": (
        "all\n/dev/nvidia0\n/dev/nvidia1\n",
        ["GPU-b", "GPU-c"],
    ),
    "no variable, as on GKE: the nodes say": ("\n/dev/nvidia2\n", ["GPU-a"]),
    "a name of CDI: what counts follows the equals sign": ("nvidia.com/gpu=GPU-c\n", ["GPU-c"]),
    "a name of CDI that is no UUID: the nodes say": (
        "k8s.gpu.nvidia.com/device=gpu-7\n/dev/nvidia2\n",
        ["GPU-a"],
    ),
    "a MIG device by its UUID": ("MIG-2\n/dev/nvidia3\n", ["MIG-2"]),
    "a MIG device by its place": ("3:0\n/dev/nvidia3\n", ["MIG-1"]),
    "twice the same GPU, as under time-slicing": ("GPU-a,GPU-a\n", ["GPU-a"]),
    "spaces and an empty name": (" GPU-a, \n", ["GPU-a"]),
    "lines that are no GPU": ("void\n/dev/nvidiactl\n\n/dev/nvidia0\n", ["GPU-b"]),
}

UNTOLD = {
    "nothing given at all": ("void\n", "has no NVIDIA GPU"),
    "driver but no devices": ("none\n", "has no NVIDIA GPU"),
    "`all` from the image, and no node": ("all\n", "has no NVIDIA GPU"),
    "an empty text": ("", "has no NVIDIA GPU"),
    "a MIG device that only the node tells of": ("void\n/dev/nvidia3\n", "a MIG device"),
}

MISSING = {
    "a UUID of another machine": ("GPU-z\n", "GPU-z is not among those that NVML lists here"),
    "one of two": ("GPU-a,GPU-z\n", "GPU-z is not among"),
    "an index beyond": ("7\n", "7 is not among"),
    "a node beyond": ("void\n/dev/nvidia7\n", "/dev/nvidia7 is not among"),
    "a MIG device that is gone": ("MIG-3\n", "MIG-3 is not among"),
    "a lost GPU by its index": ("4\n", "the index 4 cannot be read"),
}


@pytest.mark.parametrize(("text", "uuids"), FOUND.values(), ids=FOUND.keys())
def test_the_pods_gpus_are_found(text: str, uuids: list[str]) -> None:
    assert list(chosen(text, (*MACHINE, DIVIDED, LOST))) == uuids


@pytest.mark.parametrize(("text", "says"), UNTOLD.values(), ids=UNTOLD.keys())
def test_nothing_is_guessed(text: str, says: str) -> None:
    with pytest.raises(UntoldError, match=says):
        chosen(text, (*MACHINE, DIVIDED, LOST))


@pytest.mark.parametrize(("text", "says"), MISSING.values(), ids=MISSING.keys())
def test_a_gpu_that_cannot_be_read_is_missed(text: str, says: str) -> None:
    with pytest.raises(MissingError, match=says):
        chosen(text, (*MACHINE, DIVIDED, LOST))


def test_what_is_listed_instead_is_said() -> None:
    with pytest.raises(MissingError, match=r"\(GPU-a, GPU-d, MIG-1, MIG-2\)"):
        chosen("GPU-z\n", (A, DIVIDED, LOST))


def test_a_node_says_nothing_where_the_driver_tells_no_minor_numbers() -> None:
    with pytest.raises(UntoldError, match="/dev/nvidia9, and this driver does not tell"):
        chosen("void\n/dev/nvidia9\n", (A, UNNUMBERED))


def test_without_kubernetes_all_gpus_are_meant_and_of_divided_ones_their_parts() -> None:
    assert of_machine()((A, DIVIDED)) == ("GPU-a", "MIG-1", "MIG-2")


def test_without_kubernetes_gpus_can_be_named_by_index_and_uuid() -> None:
    assert of_machine(["1", "GPU-a", "3:1"])((*MACHINE, DIVIDED)) == ("GPU-b", "GPU-a", "MIG-2")


def test_all_gpus_means_those_that_cannot_be_read_too() -> None:
    with pytest.raises(MissingError, match="the index 4 cannot be read"):
        of_machine()((A, LOST))


def test_a_machine_without_gpus_says_so() -> None:
    with pytest.raises(MissingError, match="driver lists none"):
        of_machine()(())


def test_what_the_container_writes_counts_as_soon_as_it_is_written(tmp_path: Path) -> None:
    file = tmp_path / "gpus"
    pick = of_container(file)
    for unfinished in (None, "", "GPU-"):
        if unfinished is not None:
            file.write_text(unfinished)
        with pytest.raises(UntoldError, match="has not said yet"):
            pick(MACHINE)
    file.write_text("GPU-a\n")
    assert pick(MACHINE) == ("GPU-a",)
    file.write_text("GPU-b\n")
    assert pick(MACHINE) == ("GPU-b",)


def test_a_fifo_in_its_place_holds_nobody_up(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "gpus")
    with pytest.raises(UntoldError, match="has not said yet"):
        of_container(tmp_path / "gpus")(MACHINE)


def test_a_link_in_its_place_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "other").write_text("GPU-a\n")
    (tmp_path / "gpus").symlink_to(tmp_path / "other")
    with pytest.raises(UntoldError, match="gpus, the list of the pod's GPUs: Too many levels"):
        of_container(tmp_path / "gpus")(MACHINE)


def test_a_text_without_end_is_cut_and_not_believed(tmp_path: Path) -> None:
    (tmp_path / "gpus").write_bytes(b"GPU-a," * 1_000_000)
    with pytest.raises(UntoldError, match="has not said yet"):
        of_container(tmp_path / "gpus")(MACHINE)


def test_bytes_that_are_no_text_name_no_gpu(tmp_path: Path) -> None:
    (tmp_path / "gpus").write_bytes(b"\xff\xfe\x00\n")
    with pytest.raises(UntoldError, match="has no NVIDIA GPU"):
        of_container(tmp_path / "gpus")(MACHINE)
