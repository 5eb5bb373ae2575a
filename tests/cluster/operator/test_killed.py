"""An operator that is killed at any point leaves nothing that the next one does not finish.

All that it waits for is an answer of the API server. So it is killed at each of its requests:
before the API server has heard of it, and when it is done but nobody has been told.
"""

import logging
from collections.abc import Iterator
from itertools import cycle

import pytest

from cluster.operator.api_proxy import ApiProxy, Hold, Moment
from cluster.operator.installation import Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node

_log = logging.getLogger(__name__)

# Between the two, every kind of request is needed: something is made, changed, and taken away.
LEAN = on_a_fake_node({"keepAlive": 3600})
FULL = on_a_fake_node({"replicas": 2, "disruption": {"minHot": 1}, "options": {"parallel": 2}})

# More requests, and fewer, than it takes from the one to the other.
MANY, FEWEST = 60, 5

# Nothing is under way when there was no request for so long.
QUIET_SECONDS = 0.7


@pytest.fixture
def operators(
    installation: Installation,
    proxy: ApiProxy,
) -> Iterator[Operator]:
    """One operator after the other, each started when the one before it has been killed."""

    def one_after_the_other() -> Iterator[Operator]:
        while True:
            operator = installation.started(url=proxy.url)
            yield operator
            operator.kill()
            installation.forget_the_leader()

    return one_after_the_other()


@pytest.mark.parametrize("moment", Moment)
@pytest.mark.parametrize("number", [6])
def test_one_that_is_killed_while_it_makes_the_first_objects(
    operators: Iterator[Operator], proxy: ApiProxy, own: Resource, moment: Moment, number: int
) -> None:
    next(operators)
    held = proxy.hold(number, moment)
    own.apply(FULL)
    assert held.reached.wait(20)
    next(operators)
    own.until_hot(replicas=2)


@pytest.mark.slow
@pytest.mark.parametrize("moment", Moment)
def test_one_that_is_killed_at_any_request_of_a_change(
    operators: Iterator[Operator], proxy: ApiProxy, own: Resource, moment: Moment
) -> None:
    next(operators)
    own.apply(LEAN)
    own.until_hot()
    for number, spec in zip(range(1, MANY), cycle([FULL, LEAN]), strict=False):
        held = proxy.hold(number, moment)
        own.apply(spec)
        if is_settled_first(held, proxy, own):
            _log.info("killed at each of %d requests", number - 1)
            assert number > FEWEST
            return
        next(operators)
        own.until_hot(replicas=spec.get("replicas", 1))
    pytest.fail(f"a change takes {MANY} requests or more")


@pytest.mark.slow
@pytest.mark.parametrize("moment", Moment)
def test_one_that_is_killed_at_any_request_of_its_start(
    installation: Installation,
    proxy: ApiProxy,
    own: Resource,
    moment: Moment,
) -> None:
    own.apply(FULL)
    for number in range(1, MANY):
        held = proxy.hold(number, moment, lambda request: not request.is_watch)
        operator = installation.start(url=proxy.url)
        is_settled = is_settled_first(held, proxy, own)
        operator.kill()
        installation.forget_the_leader()
        if is_settled:
            _log.info("killed at each of %d requests", number - 1)
            assert number > FEWEST
            return
    pytest.fail(f"a start takes {MANY} requests or more")


def is_settled_first(held: Hold, proxy: ApiProxy, own: Resource) -> bool:
    """Waits for the request that is held; whether all was done, and said, without it."""
    made = len(proxy.requests)

    def is_decided() -> bool:
        nonlocal made
        before, made = made, len(proxy.requests)
        if held.reached.wait(QUIET_SECONDS):
            return False
        assert made == before, "there are requests still"
        own.assert_hot(replicas=own.get()["spec"]["replicas"])
        return True

    return own.namespace.wait_for(is_decided, seconds=60)
