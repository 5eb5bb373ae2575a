"""Two operators and one Lease, as real processes: one leads, whatever happens to the other."""

import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from bed.cluster import Namespace

DURATION_SECONDS = 4
CONTENDER = f"""
import asyncio, signal, sys
from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access
from stoker_operator.lease import Candidate, Leadership, Tempo

async def main(kubeconfig, namespace, me):
    tempo = Tempo({DURATION_SECONDS}, deadline_seconds=2.5, period_seconds=0.5, attempt_seconds=1)
    stop = asyncio.Event()
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, stop.set)
    async with Cluster.connect(Access(kubeconfig)) as cluster:
        leadership = Leadership(cluster, Candidate(namespace, "operator", me), tempo)
        async with leadership.held() as lost:
            print("leads", flush=True)
            stopping = asyncio.create_task(stop.wait())
            await asyncio.wait([lost, stopping], return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            print(lost.exception() if lost.done() else "stops", flush=True)

asyncio.run(main(*sys.argv[1:]))
"""


class Contender:
    """One process that wants to lead."""

    def __init__(self, namespace: Namespace, name: str, folder: Path) -> None:
        self.name = name
        self.output = folder / name
        command = [sys.executable, "-c", CONTENDER]
        command += [namespace.cluster.kubeconfig, namespace.name, name]
        with self.output.open("w") as output:
            self.process = subprocess.Popen(command, stdout=output)

    def said(self) -> list[str]:
        return self.output.read_text().splitlines()

    def leads(self) -> None:
        assert self.said() == ["leads"]

    def end(self) -> None:
        self.process.kill()
        self.process.wait(timeout=10)


@pytest.fixture
def contender(namespace: Namespace, tmp_path: Path) -> Iterator[Callable[[str], Contender]]:
    """Starts contenders, which end with the test."""
    started: list[Contender] = []

    def start(name: str) -> Contender:
        started.append(Contender(namespace, name, tmp_path))
        return started[-1]

    yield start
    for each in started:
        each.end()


def lease(namespace: Namespace) -> dict[str, Any]:
    spec: dict[str, Any] = namespace.get("lease", "operator")["spec"]
    return spec


def test_of_two_that_start_together_one_leads_and_the_other_takes_over_when_it_stops(
    namespace: Namespace, contender: Callable[[str], Contender]
) -> None:
    two = [contender("one"), contender("two")]

    def one_leads() -> list[Contender]:
        leaders = [each for each in two if each.said()]
        assert len(leaders) == 1
        return leaders

    (first,) = namespace.wait_for(one_leads)
    (second,) = (each for each in two if each is not first)
    assert lease(namespace)["holderIdentity"] == first.name

    first.process.send_signal(signal.SIGTERM)
    assert first.process.wait(timeout=10) == 0
    namespace.wait_for(second.leads, seconds=2)  # the Lease would have lasted longer
    assert first.said() == ["leads", "stops"]
    assert lease(namespace)["leaseTransitions"] >= 1


def test_a_leader_that_is_killed_is_followed_when_its_lease_is_over(
    namespace: Namespace, contender: Callable[[str], Contender]
) -> None:
    first = contender("one")
    namespace.wait_for(first.leads)
    second = contender("two")

    first.end()
    assert second.said() == []
    namespace.wait_for(second.leads, seconds=3 * DURATION_SECONDS)


def test_a_leader_that_was_stopped_finds_that_it_leads_no_more(
    namespace: Namespace, contender: Callable[[str], Contender]
) -> None:
    first = contender("one")
    namespace.wait_for(first.leads)
    second = contender("two")

    first.process.send_signal(signal.SIGSTOP)
    namespace.wait_for(second.leads, seconds=3 * DURATION_SECONDS)
    first.process.send_signal(signal.SIGCONT)

    def has_lost() -> None:
        said = first.said()
        assert said[1:]
        assert said[1].startswith("leadership is lost: ")

    namespace.wait_for(has_lost)
    assert second.said() == ["leads"]
    assert lease(namespace)["holderIdentity"] == "two"
