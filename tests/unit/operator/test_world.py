"""What is known of the cluster, and whom a change concerns."""

from typing import Any

from stoker_operator.desired import Manifest
from stoker_operator.world import Change, World

KEY = ("llms", "phi3")


def body(version: int, name: str = "phi3", **fields: Any) -> Manifest:
    labels = {"stoker.dev/llmdeployment": "phi3"}
    metadata = {"namespace": "llms", "name": name, "labels": labels}
    return {"metadata": metadata | {"resourceVersion": str(version)}, **fields}


def llmdeployment(version: int, **fields: Any) -> Change:
    return Change("LLMDeployment", body(version, **fields))


def test_what_is_told_is_known_and_concerns_its_llmdeployment() -> None:
    world = World()

    assert world.see(llmdeployment(1, spec={"model": "phi3"})) == KEY
    assert world.see(Change("Service", body(2, spec={"type": "ClusterIP"}))) == KEY
    assert world.see(Change("Pod", body(3, "phi3-1", spec={"nodeName": "n", "volumes": []}))) == KEY
    assert world.resource(KEY)["spec"] == {"model": "phi3"}  # type: ignore[index]
    assert world.objects(KEY)["Service", "phi3"]["spec"] == {"type": "ClusterIP"}
    assert [pod["spec"] for pod in world.pods(KEY)] == [{"nodeName": "n"}]
    assert world.size()[0] == 3


def test_the_same_again_concerns_nobody() -> None:
    world = World()
    world.see(llmdeployment(1, spec={}))

    assert world.see(llmdeployment(2, spec={})) is None


def test_the_same_version_that_reads_otherwise_is_news() -> None:
    """The API server shows what it has stored by the schema of the day."""
    world = World()
    world.see(llmdeployment(1, spec={"model": "phi3", "retired": "yes"}))

    assert world.see(llmdeployment(1, spec={"model": "phi3"})) == KEY
    assert world.resource(KEY)["spec"] == {"model": "phi3"}  # type: ignore[index]


def test_an_older_word_that_comes_later_is_not_believed() -> None:
    world = World()
    world.see(llmdeployment(5, status={"phase": "Hot"}))

    assert world.see(llmdeployment(4, status={"phase": "Cold"})) is None
    assert world.resource(KEY)["status"] == {"phase": "Hot"}  # type: ignore[index]


def test_what_has_gone_is_forgotten() -> None:
    world = World()
    world.see(llmdeployment(1))
    world.see(Change("Service", body(2)))

    assert world.see(Change("Service", body(3), gone=True)) == KEY
    assert world.see(Change("Service", body(3), gone=True)) is None
    assert world.see(Change("LLMDeployment", body(4), gone=True)) == KEY
    assert world.resource(KEY) is None
    assert world.objects(KEY) == {}
    assert world.size() == (0, 0)


def test_what_has_left_unseen_is_forgotten_and_its_successor_is_not() -> None:
    world = World()
    first = llmdeployment(5)
    first.body["metadata"]["uid"] = "1"
    world.see(first)

    world.forget(KEY, "2")
    assert world.resource(KEY)
    world.forget(KEY, "1")
    assert world.resource(KEY) is None
    world.forget(KEY, "1")


def test_an_end_that_is_older_than_what_has_its_name_now_is_not_believed() -> None:
    world = World()
    world.see(Change("Service", body(9)))

    assert world.see(Change("Service", body(8), gone=True)) is None
    assert world.objects(KEY)


def test_an_object_without_our_label_concerns_nobody() -> None:
    strange = body(1)
    strange["metadata"]["labels"] = None

    assert World().see(Change("Service", strange)) is None
