"""What was there before: ours is taken up again, and what is somebody else's is left alone."""

from cluster.operator.resource import Resource, on_a_fake_node

NOT_OURS = """
apiVersion: v1
kind: Service
metadata: {{name: {}, labels: {{mine: "yes"}}}}
spec: {{selector: {{app: mine}}, ports: [{{port: 80}}]}}
"""


def test_what_an_llmdeployment_left_behind_is_taken_up_by_the_next(
    hot: Resource,
) -> None:
    pods, children = hot.pods(), hot.children()
    hot.delete("--cascade=orphan")
    assert hot.children().keys() == children.keys()
    hot.apply(on_a_fake_node())
    hot.until_hot()
    assert hot.pods().keys() == pods.keys()
    assert {key: each["metadata"]["uid"] for key, each in hot.children().items()} == {
        key: each["metadata"]["uid"] for key, each in children.items()
    }


def test_an_object_of_somebody_else_is_left_alone_and_named(
    resource: Resource,
) -> None:
    namespace = resource.namespace
    namespace.apply(NOT_OURS.format(resource.name))
    before = namespace.get("service", resource.name)
    resource.apply(on_a_fake_node())

    resource.until_condition("Accepted", "False", "NameTaken", "Service", resource.name)
    assert namespace.get("service", resource.name) == before

    # Whoever has the name gives it up, and all is well without another word.
    namespace.kubectl("delete", "service", resource.name)
    resource.until_hot(seconds=60)


def test_a_child_of_another_owner_is_left_alone(
    hot: Resource,
) -> None:
    """Even with our labels on it: the owner decides."""
    name = f"{hot.name}-stranger"
    labels = hot.child("ConfigMap")["metadata"]["labels"]
    stranger = {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"name": name, "labels": labels},
        "data": {"mine": "yes"},
    }
    hot.namespace.apply(stranger)
    before = hot.namespace.get("configmap", name)
    # A pass that would have pruned it has ended when this has been done.
    hot.merge({"spec": {"keepAlive": 3600}})

    def is_observed() -> None:
        found = hot.get()
        assert found["status"]["observedGeneration"] == found["metadata"]["generation"]

    hot.namespace.wait_for(is_observed)
    assert hot.namespace.get("configmap", name) == before
