"""What can go wrong before a model is in Ollama's store: each pitfall, and what comes of it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from contract.sidecar.pod import Pod, in_pod, sample, told
from support.waiting import wait_for

ABSENT = "phi3:mini"
"""A model that the simulator can pull, and does not have."""


@pytest.fixture
def pod(tmp_path: Path) -> Iterator[Pod]:
    """A pod with an empty store."""
    with in_pod(tmp_path) as running:
        yield running


@pytest.mark.p(35)
def test_a_pull_that_stalls_shows_how_far_it_is_and_goes_on_when_bytes_come(
    tmp_path: Path,
) -> None:
    with in_pod(tmp_path, "--speed", "5") as pod:
        keeper = pod.sidecar(model=ABSENT)
        wait_for("its first bytes", lambda: sample(keeper, "stoker_pull_bytes", kind="done"))
        pod.ollama.inject("pull-stall")
        stalled = keeper.status()
        assert (stalled["hot"], stalled["reason"]) == (False, "Pulling")
        assert stalled["pull"]["doneBytes"] < stalled["pull"]["totalBytes"]
        pod.ollama.clear("pull-stall")
        keeper.until_ready()
    assert "PullFailed" not in keeper.reasons()


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        pytest.param("pull-error", "max retries exceeded: EOF", marks=pytest.mark.p(35)),
        pytest.param("wrong-digest", "digest mismatch", marks=pytest.mark.p(36)),
    ],
)
def test_a_pull_that_fails_is_told_in_ollamas_words_and_tried_again(
    pod: Pod, fault: str, words: str
) -> None:
    pod.ollama.inject(fault)
    keeper = pod.sidecar(model=ABSENT)
    failed = told(keeper, "PullFailed")
    assert failed.gate == "shut"
    assert words in failed.sentence
    pod.ollama.clear(fault)
    keeper.until_ready()


@pytest.mark.p(39)
def test_a_full_disk_is_for_a_person(pod: Pod) -> None:
    pod.ollama.inject("disk-full")
    keeper = pod.sidecar(model=ABSENT)
    full = told(keeper, "DiskFull")
    assert full.gate == "shut"
    assert "no space left on device" in full.sentence
    assert "Give it more room" in full.sentence
    assert keeper.status()["state"] == "Blocked"


@pytest.mark.slow
@pytest.mark.p(37)
def test_a_store_that_others_fill_is_never_pulled_into(pod: Pod) -> None:
    keeper = pod.sidecar("--pull-policy", "Never", model=ABSENT)
    waiting = told(keeper, "NotInStore")
    assert waiting.gate == "shut"
    assert "the pull policy is Never" in waiting.sentence
    # Somebody else does it: here a client, on a shared store another server.
    assert pod.ollama.post("/api/pull", model=ABSENT, stream=False).status_code == 200
    keeper.until_ready()
    assert "Pulling" not in keeper.reasons()
