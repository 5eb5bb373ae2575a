"""The API server refuses, fails, and ends its watches: nothing is lost by it."""

import time

import pytest

from cluster.operator.api_proxy import ApiProxy, Matches, Moment, Request, status_object
from cluster.operator.installation import Installation, Operator
from cluster.operator.resource import Resource, on_a_fake_node


def slow(value: int) -> object:
    return pytest.param(value, marks=pytest.mark.slow)


GONE = {"type": "ERROR", "object": status_object(410)}


@pytest.fixture
def operator(
    installation: Installation,
    proxy: ApiProxy,
) -> Operator:
    """An operator whose requests all pass the proxy."""
    return installation.started(url=proxy.url)


@pytest.fixture
def hot(operator: Operator, own: Resource) -> Resource:  # noqa: ARG001
    """An LLMDeployment with a hot pod."""
    own.apply(on_a_fake_node())
    own.until_hot()
    return own


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("status", [409, 429, slow(500), slow(503)])
def test_writes_that_are_refused_are_tried_again(
    proxy: ApiProxy, own: Resource, status: int
) -> None:
    headers = {"Retry-After": "1"} if status in (429, 503) else {}
    proxy.refuse(is_write, status, times=4, headers=headers)
    own.apply(on_a_fake_node())
    own.until_hot()


@pytest.mark.usefixtures("operator")
@pytest.mark.parametrize("number", [slow(2), 5, slow(7)])
def test_a_write_that_was_done_and_not_answered_does_no_harm(
    proxy: ApiProxy, own: Resource, number: int
) -> None:
    """The connection ends between the deed and the answer, so that it is done once more."""
    held = proxy.hold(number, Moment.AFTER, is_write)
    own.apply(on_a_fake_node())
    assert held.reached.wait(20)
    proxy.cut()
    own.until_hot()


@pytest.mark.usefixtures("operator")
def test_an_api_server_that_wants_to_be_left_alone_is(proxy: ApiProxy, own: Resource) -> None:
    proxy.refuse(is_apply_of("deployments"), 429, headers={"Retry-After": "4"})
    own.apply(on_a_fake_node())
    own.until_hot()
    asked = [each.at for each in proxy.requests if is_apply_of("deployments")(each)]
    assert asked[1] - asked[0] >= 4


@pytest.mark.usefixtures("operator")
def test_a_refused_object_holds_up_no_other(proxy: ApiProxy, own: Resource) -> None:
    """A Service that cannot be had is said; the Deployment is made, and so is its pod."""
    proxy.refuse(is_apply_of("services"), 500, times=1000)
    own.apply(on_a_fake_node())

    def has_a_pod() -> None:
        assert own.pods()

    own.namespace.wait_for(has_a_pod)

    def is_said() -> None:
        conditions = own.status().get("conditions", [])
        (said,) = [each for each in conditions if each["reason"] == "ApiError"] or [None]
        assert said, conditions
        assert "Service" in said["message"]

    own.namespace.wait_for(is_said)


@pytest.mark.parametrize("status", [410, slow(429), slow(500)])
def test_watches_that_end_or_fail_begin_again(hot: Resource, proxy: ApiProxy, status: int) -> None:
    proxy.refuse(lambda request: request.is_watch, status, times=5)
    proxy.end_watches(GONE if status == 410 else None)
    hot.namespace.kubectl("delete", "service", hot.name)
    hot.merge({"spec": {"replicas": 2}})
    hot.until_hot(replicas=2, seconds=60)


def test_lists_that_fail_at_the_start_are_tried_again(
    installation: Installation,
    proxy: ApiProxy,
    own: Resource,
) -> None:
    own.apply(on_a_fake_node())
    proxy.refuse(lambda request: request.method == "GET" and request.is_of_a_pass, 500, times=6)
    installation.start(url=proxy.url)
    own.until_hot(seconds=60)


def test_after_a_break_all_that_happened_meanwhile_is_seen(
    hot: Resource, proxy: ApiProxy, operator: Operator
) -> None:
    (pod,) = hot.pods().values()
    with proxy.down():
        hot.merge({"spec": {"replicas": 2, "disruption": {"minHot": 1}}})
        hot.namespace.kubectl("delete", "pod", pod["metadata"]["name"])
        hot.namespace.kubectl("delete", "service", hot.name)
    back = time.monotonic()
    hot.until_hot(replicas=2)
    assert time.monotonic() - back < 20
    assert operator.process.poll() is None


def is_write(request: Request) -> bool:
    return request.is_write and request.is_of_a_pass


def is_apply_of(resources: str) -> Matches:
    return lambda request: request.method == "PATCH" and f"/{resources}/" in request.path
