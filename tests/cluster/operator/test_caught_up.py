"""An operator that starts sees to what has changed meanwhile before it has read all there is."""

import pytest

from cluster.operator.api_proxy import ApiProxy, Matches, Moment, Request
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node
from stoker_api.wire import LABEL_LLMDEPLOYMENT

MANY = 10_000


@pytest.fixture
def left(installation: Installation, own: Resource) -> Resource:
    """A hot LLMDeployment that nobody looks after any more."""
    own.apply(on_a_fake_node())
    operator = installation.started()
    own.until_hot()
    operator.kill()
    installation.forget_the_leader()
    return own


def reads_all(plural: str) -> Matches:
    """Lists all objects of a kind."""

    def matches(request: Request) -> bool:
        is_list = not (request.is_watch or request.is_write)
        everybodys = request.query.get("labelSelector") == LABEL_LLMDEPLOYMENT
        return is_list and everybodys and request.path.endswith(f"/{plural}")

    return matches


def is_kopfs(request: Request) -> bool:
    """Lists LLMDeployments, as kopf does: of all labels, and without saying so."""
    is_list = not (request.is_watch or request.is_write)
    return (
        is_list
        and "labelSelector" not in request.query
        and request.path.endswith("/llmdeployments")
    )


def test_what_has_changed_does_not_wait_for_the_rest(
    installation: Installation, proxy: ApiProxy, left: Resource
) -> None:
    left.merge({"spec": {"replicas": 2, "heartbeat": {"interval": "700ms"}}})
    refusal = proxy.refuse(reads_all("pods"), 503, times=MANY)
    installation.start(url=proxy.url)
    left.until_applied()
    assert refusal.times > 0, "nobody knows what pods there are"
    refusal.times = 0
    left.until_hot(replicas=2)


def test_what_goes_before_the_rest_is_read_comes_back(
    installation: Installation, proxy: ApiProxy, left: Resource
) -> None:
    left.merge({"spec": {"heartbeat": {"interval": "700ms"}}})
    held = proxy.hold(1, Moment.BEFORE, reads_all("services"))
    installation.start(url=proxy.url)
    left.until_applied()
    assert held.reached.wait(20)
    left.namespace.kubectl("delete", "service", left.name)
    held.release()
    left.until_applied()


def test_one_that_goes_before_the_rest_is_read_is_forgotten(
    installation: Installation, proxy: ApiProxy, own: Resource
) -> None:
    # It has nothing whose end would tell of its own.
    own.apply(on_a_fake_node(), annotations={"stoker.dev/paused": "true"})
    held = proxy.hold(1, Moment.BEFORE, is_kopfs)
    operator = installation.start(url=proxy.url)
    own.until_condition("Progressing", "False", "Paused")
    assert held.reached.wait(20)
    own.delete()
    held.release()
    operator.until_leading()
    _, metrics = operator.ask("/metrics")
    assert f'namespace="{own.namespace.name}"' not in metrics
