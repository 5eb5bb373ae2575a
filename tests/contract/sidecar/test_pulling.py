"""Pulls that go well, and every way in which they do not."""

import asyncio
from dataclasses import dataclass, field

import pytest

from bed import models
from bed.models import Model
from bed.ollama import OllamaServer, running
from bed.registry import Fault as RegistryFault
from bed.registry import Registry
from contract.ollama.api import Ollama, eventually
from contract.sidecar.asking import ask
from contract.simulator.serving import simulating
from stoker_sidecar import ollama
from stoker_sidecar.heat.observation import Deed, Fault, Outcome, PullProgress

NAME = "pulled"
STALL_SECONDS = 10.0


@dataclass
class Pull:
    """A pull that has ended."""

    outcome: Outcome
    seen: list[PullProgress] = field(default_factory=list)


@pytest.fixture
def fresh() -> Model:
    """A model whose weights the server has not got."""
    return models.unseen()


def pull(
    url: str, name: str, stall_seconds: float = STALL_SECONDS, *, insecure: bool = True
) -> Pull:
    seen: list[PullProgress] = []
    outcome = ask(
        url,
        lambda client: client.pull(seen.append, stall_seconds=stall_seconds, insecure=insecure),
        name,
    )
    assert outcome.deed is Deed.PULL
    return Pull(outcome, seen)


@pytest.mark.p(35)
def test_a_pull_tells_how_far_it_is(server: Ollama, registry: Registry, fresh: Model) -> None:
    name = registry.put(NAME, fresh)
    done = pull(server.processes.base_url, name)
    assert done.outcome.ok
    bytes_ = [progress.done_bytes for progress in done.seen]
    assert bytes_ == sorted(bytes_)
    total = sum(blob.size for blob in fresh.blobs)
    assert (bytes_[-1], done.seen[-1].total_bytes) == (total, total)
    assert done.seen[0].phase == "pulling manifest"
    assert done.seen[-1].phase == "writing manifest"
    assert server.installed()[name] == fresh.digest


def test_a_model_that_is_there_is_pulled_without_a_byte(server: Ollama, registry: Registry) -> None:
    assert pull(server.processes.base_url, registry.put(NAME, models.tiny())).outcome.ok
    assert registry.data_requests(models.tiny().weights) == []


@pytest.mark.p(35)
def test_an_unknown_model_is_not_found(server: Ollama, registry: Registry) -> None:
    outcome = pull(server.processes.base_url, f"{registry.host}/library/nobody:latest").outcome
    assert outcome.fault is Fault.NOT_FOUND
    assert outcome.error == "pull model manifest: file does not exist"


def test_a_name_that_is_none_is_not_found(server: Ollama) -> None:
    outcome = pull(server.processes.base_url, "no such:name:at all").outcome
    assert outcome.fault is Fault.NOT_FOUND


@pytest.mark.p(35)
@pytest.mark.parametrize(
    ("status", "fault"),
    [(401, Fault.REFUSED), (403, Fault.REFUSED), (429, Fault.OTHER), (500, Fault.OTHER)],
)
def test_a_registry_says_no_for_good_or_for_now(
    server: Ollama, registry: Registry, status: int, fault: Fault
) -> None:
    name = registry.put(NAME, models.tiny())
    # A 401 is followed by a try to get a token, and another one with it.
    for _ in range(2):
        registry.inject(NAME, RegistryFault(status=status))
    outcome = pull(server.processes.base_url, name).outcome
    assert outcome.fault is fault, outcome.error


@pytest.mark.p(35)
def test_a_registry_that_is_away_is_worth_another_try(server: Ollama) -> None:
    # Port 9 is nobody's on loopback.
    outcome = pull(server.processes.base_url, "127.0.0.1:9/library/tiny:latest").outcome
    assert outcome.fault is Fault.OTHER
    assert "connection refused" in str(outcome.error)


def test_plain_http_has_to_be_allowed(server: Ollama, registry: Registry) -> None:
    name = registry.put(NAME, models.tiny())
    outcome = pull(server.processes.base_url, name, insecure=False).outcome
    assert outcome.fault is Fault.OTHER
    assert "the registry speaks plain HTTP, which has to be allowed" in str(outcome.error)


@pytest.mark.p(36)
def test_wrong_bytes_are_worth_another_try(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, RegistryFault(corrupt=True))
    outcome = pull(server.processes.base_url, name).outcome
    assert outcome.fault is Fault.OTHER
    assert "digest mismatch" in str(outcome.error)
    assert pull(server.processes.base_url, name).outcome.ok


@pytest.mark.p(35)
def test_a_pull_without_a_byte_is_given_up_and_the_next_one_goes_on_from_there(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, RegistryFault(stall=True, after_bytes=100_000))
    stalled = pull(server.processes.base_url, name, stall_seconds=1.0)
    assert stalled.outcome.fault is Fault.STALLED
    assert stalled.outcome.error == (
        f"the pull has not moved for 1 s (0.1 of {fresh.weights.size / 1e6:,.1f} MB are there)"
    )
    assert stalled.outcome.seconds < 5
    # Until the one that was given up is gone, the next one joins it and ends like it.
    eventually(lambda: pull(server.processes.base_url, name).outcome.ok, "a pull that succeeds")
    last = fresh.weights.size - 1
    assert registry.data_requests(fresh.weights) == [f"bytes=0-{last}", f"bytes=100000-{last}"]


@pytest.mark.p(35)
def test_a_pull_that_is_cancelled_ends_at_ollama_too(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, RegistryFault(stall=True, after_bytes=100_000))

    async def cancel(client: ollama.Ollama) -> None:
        arrived = asyncio.Event()

        def report(progress: PullProgress) -> None:
            if progress.done_bytes:
                arrived.set()

        pulling = asyncio.create_task(client.pull(report, stall_seconds=60, insecure=True))
        await asyncio.wait_for(arrived.wait(), 10)
        pulling.cancel()
        with pytest.raises(asyncio.CancelledError):
            await pulling

    ask(server.processes.base_url, cancel, name)
    eventually(lambda: pull(server.processes.base_url, name).outcome.ok, "a pull that succeeds")
    assert len(registry.data_requests(fresh.weights)) == 2


@pytest.mark.p(34)
def test_a_server_that_ends_within_a_pull_breaks_it_off(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, RegistryFault(stall=True, after_bytes=100_000))

    async def end(client: ollama.Ollama) -> Outcome:
        arrived = asyncio.Event()
        pulling = asyncio.create_task(
            client.pull(lambda _: arrived.set(), stall_seconds=60, insecure=True)
        )
        await asyncio.wait_for(arrived.wait(), 10)
        await asyncio.to_thread(server.processes.stop)
        return await pulling

    outcome = ask(server.processes.base_url, end, name)
    assert outcome.fault is Fault.OTHER
    assert outcome.error


class OllamaOnSmallDisk(OllamaServer):
    """A real Ollama whose store is a file system of 300 kB, which nobody else sees."""

    def command(self) -> list[str]:
        mount = 'mkdir -p "$OLLAMA_MODELS" && mount -t tmpfs -o size=300k none "$OLLAMA_MODELS"'
        return ["unshare", "--mount", "sh", "-c", f'{mount} && exec "$@"', "sh", *super().command()]


@pytest.mark.p(39)
def test_a_full_disk_is_told_as_such_by_the_real_ollama(registry: Registry, fresh: Model) -> None:
    with running(lambda home: OllamaOnSmallDisk(home, {}), {}) as server:
        outcome = pull(server.base_url, registry.put(NAME, fresh)).outcome
    assert outcome.fault is Fault.NO_SPACE
    assert "no space left on device" in str(outcome.error)


@pytest.mark.p(39)
def test_a_full_disk_is_told_as_such_by_the_simulator() -> None:
    with simulating() as simulation:
        simulation.inject("disk-full")
        outcome = pull(simulation.processes.base_url, "phi3:mini").outcome
    assert outcome.fault is Fault.NO_SPACE
    assert outcome.error


@pytest.mark.p(35)
def test_a_download_that_gives_nothing_more_is_given_up() -> None:
    with simulating("--speed", "100") as simulation:
        simulation.inject("pull-stall")
        outcome = pull(simulation.processes.base_url, "phi3:mini", stall_seconds=0.5).outcome
    assert outcome.fault is Fault.STALLED
