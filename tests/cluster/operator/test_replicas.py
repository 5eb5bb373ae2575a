"""Two replicas of the operator: one works, and the other is ready to."""

import os
import signal
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from bed.cluster import wait_for
from bed.layout import Bed
from cluster.operator import api_proxy
from cluster.operator.api_proxy import ApiProxy
from cluster.operator.installation import Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node

# A Lease that is not renewed is taken after 15 s.
TAKEN_OVER_SECONDS = 40


@dataclass(frozen=True)
class Replica:
    """An operator, and all that it asks of the API server."""

    operator: Operator
    proxy: ApiProxy

    def writes(self) -> int:
        """How often it has written anything but the Lease."""
        return sum(each.is_write and each.is_of_a_pass for each in self.proxy.requests)

    def until_it_waits(self) -> None:
        """Returns when it has asked who leads."""

        def has_asked() -> None:
            assert [each for each in self.proxy.requests if "/leases" in each.path]

        wait_for(has_asked)


@pytest.fixture
def replicas(
    bed: Bed, installation: Installation, own: Resource
) -> Iterator[tuple[Replica, Replica]]:
    """One that leads and has made an LLMDeployment hot, and one that waits."""
    with ExitStack() as stack:
        one, other = (stack.enter_context(api_proxy.running(bed)) for _ in range(2))
        leader = Replica(installation.started(url=one.url), one)
        standby = Replica(installation.start(url=other.url), other)
        standby.until_it_waits()
        own.apply(on_a_fake_node())
        own.until_hot()
        yield leader, standby
        installation.kill_all()


def test_one_works_and_the_other_goes_on_at_once_when_it_is_asked_to_end(
    replicas: tuple[Replica, Replica], own: Resource
) -> None:
    leader, standby = replicas
    assert leader.writes()
    assert not standby.writes()
    assert leader.operator.stop() == 0
    own.merge({"spec": {"replicas": 2}})
    own.until_hot(replicas=2, seconds=TAKEN_OVER_SECONDS / 2)


@pytest.mark.slow
def test_the_other_goes_on_when_the_leader_is_killed(
    replicas: tuple[Replica, Replica], own: Resource
) -> None:
    leader, _ = replicas
    leader.operator.kill()
    own.merge({"spec": {"replicas": 2}})
    own.until_hot(replicas=2, seconds=TAKEN_OVER_SECONDS)


@pytest.mark.slow
def test_a_leader_that_wakes_up_after_its_time_writes_nothing_more(
    replicas: tuple[Replica, Replica], own: Resource
) -> None:
    """As a machine does that was suspended, or a process that was starved."""
    leader, standby = replicas
    os.kill(leader.operator.process.pid, signal.SIGSTOP)
    own.merge({"spec": {"replicas": 2}})
    own.until_hot(replicas=2, seconds=TAKEN_OVER_SECONDS)
    before = leader.writes()
    os.kill(leader.operator.process.pid, signal.SIGCONT)
    own.merge({"spec": {"replicas": 3}})
    own.until_hot(replicas=3)
    assert standby.writes()
    assert leader.writes() == before
