"""What is made of NVML's figures: the runner's memory, the baseline, whether a GPU computes."""

import pytest

from stoker_sidecar.gpu.driver import Baseline
from stoker_sidecar.gpu.figures import Process, believed, is_busy
from stoker_sidecar.heat.observation import Gpu

RUNNER = 40
HERE = {RUNNER, 41}

BYTES: dict[str, tuple[list[Process], int | None]] = {
    "the runner's memory": ([Process(RUNNER, 5)], 5),
    "on two GPUs": ([Process(RUNNER, 5), Process(41, 9), Process(RUNNER, 3)], 8),
    "no process listed: out of sight, or not on the GPU": ([], None),
    "others listed, and not the runner": ([Process(41, 9)], None),
    "a number of another namespace: the runner's may be so, too": (
        [Process(RUNNER, 5), Process(31337, 9)],
        None,
    ),
    "a driver that hides the memory": ([Process(RUNNER, None)], None),
    "a driver that says 0 in a container": ([Process(RUNNER, 0)], None),
    "one GPU that tells and one that does not": ([Process(RUNNER, 5), Process(RUNNER, 0)], None),
}


@pytest.mark.p(21)
@pytest.mark.parametrize(("listed", "expected"), BYTES.values(), ids=BYTES.keys())
def test_the_runners_memory_is_known_or_unknown_and_never_nothing(
    listed: list[Process], expected: int | None
) -> None:
    assert believed(RUNNER, listed, HERE.__contains__) == expected


BUSY: dict[str, tuple[list[float | None], bool | None]] = {
    "one computes": ([0.0, 0.3], True),
    "none computes": ([0.0, 0.0], False),
    "one computes, another does not tell": ([None, 0.3], True),
    "one is idle, another does not tell": ([None, 0.0], None),
    "no GPU": ([], None),
}


@pytest.mark.parametrize(("ratios", "expected"), BUSY.values(), ids=BUSY.keys())
def test_whether_a_gpu_computes(ratios: list[float | None], expected: bool | None) -> None:  # noqa: FBT001
    assert is_busy([gpu(utilisation=ratio) for ratio in ratios]) is expected


def test_there_is_no_baseline_before_the_model_was_away() -> None:
    baseline = Baseline()
    assert baseline.after([gpu(used=7)], idle=False) is None
    assert baseline.after([gpu(used=7)], idle=True) == 7
    assert baseline.after([gpu(used=9)], idle=False) == 7


def test_the_baseline_is_of_all_gpus_together() -> None:
    assert Baseline().after([gpu("a", used=1), gpu("b", used=2)], idle=True) == 3


@pytest.mark.p(26)
def test_a_model_that_lingers_does_not_stay_in_the_baseline() -> None:
    baseline = Baseline()
    assert baseline.after([gpu(used=900)], idle=True) == 900
    assert baseline.after([gpu(used=20)], idle=False) == 20
    assert baseline.after([gpu(used=900)], idle=True) == 20


def test_other_gpus_have_another_baseline() -> None:
    baseline = Baseline()
    assert baseline.after([gpu("a", used=1)], idle=True) == 1
    assert baseline.after([gpu("b", used=5)], idle=False) is None


def test_there_is_no_baseline_where_one_gpu_hides_its_memory() -> None:
    assert Baseline().after([gpu("a", used=1), gpu("b", used=None)], idle=True) is None


def gpu(uuid: str = "GPU-a", *, used: int | None = None, utilisation: float | None = None) -> Gpu:
    return Gpu(
        uuid=uuid,
        name="GPU",
        total_bytes=1000,
        used_bytes=used,
        utilisation_ratio=utilisation,
        power_watts=None,
        temperature_celsius=None,
        uncorrected_errors=None,
    )
