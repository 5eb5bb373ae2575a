"""`stoker up` with the real Ollama: the same story, with a model that computes."""

import signal
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bed import models
from bed.ollama import ollama_program
from contract.local.machine import Machine, deployment, environment_of, machine, signalled


@pytest.fixture
def real(tmp_path: Path) -> Iterator[Machine]:
    """A machine with a store that has a model, where people have theirs."""
    store = tmp_path / "models"
    models.tiny().install(store, "tiny")
    with machine(tmp_path, OLLAMA_MODELS=str(store)) as made:
        yield made


def ask(up: Machine) -> httpx.Response:
    return httpx.post(
        f"{up.status()['address']}/api/generate",
        json={"model": "tiny", "prompt": "Why?", "stream": False, "options": {"num_predict": 3}},
        trust_env=False,
        timeout=30,
    )


def test_a_real_ollama_is_run_kept_hot_changed_and_ended(real: Machine) -> None:
    real.write(deployment(model="tiny", replicas=2))
    real.up("--ollama", str(ollama_program()))
    real.until_hot(2)
    assert ask(real).json()["eval_count"] == 3
    assert "SIMULATOR" not in real.said()
    served = real.named("ollama", "serve")
    assert len(served) == 2
    for pid in served:
        environment = environment_of(pid)
        assert environment["OLLAMA_NOPRUNE"] == "1"  # the store is not ours alone
        assert environment["CUDA_VISIBLE_DEVICES"] == "-1"  # no gpu was asked for

    # The runner that one of the two models is in crashes.
    crashed, *_ = real.named("ollama", "runner")
    signalled(crashed, signal.SIGKILL)
    real.until("the loss", lambda: real.status()["hot"] == 1)
    assert ask(real).status_code == 200
    real.until_hot(2)

    # Another context is another load: two new replicas, each hot before an old one leaves.
    real.write(deployment(model="tiny", replicas=2, options={"contextLength": 512}))
    real.until("two others", lambda: not set(served) & set(real.named("ollama", "serve")))
    real.until_hot(2)
    assert ask(real).json()["eval_count"] == 3

    real.process.send_signal(signal.SIGTERM)
    assert real.process.wait(30) == 0
    assert real.pids() == []


def test_a_real_ollama_is_gone_with_a_stoker_that_is_killed(real: Machine) -> None:
    real.write(deployment(model="tiny"))
    real.up("--ollama", str(ollama_program()))
    real.until_hot()
    assert real.named("ollama", "runner")
    real.process.kill()
    real.until("the end of all", lambda: not real.pids(), seconds=5)
