"""The operator's client against a real API server."""

import asyncio
import base64
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

import pytest
import yaml

from bed.cluster import Namespace
from stoker_operator import channel
from stoker_operator.api_errors import ApiError, ConflictError
from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access
from stoker_operator.desired import NetworkPolicySettings, Settings, desired
from support.manifests import resource

T = TypeVar("T")


def config_map(namespace: Namespace, **data: str) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "ConfigMap",
        "metadata": {"namespace": namespace.name, "name": "ours"},
        "data": data,
    }


def asking(
    namespace: Namespace, story: Callable[[Cluster], Awaitable[T]], access: Access | None = None
) -> T:
    """What `story` returns, given a client."""

    async def connected() -> T:
        async with Cluster.connect(access or Access(namespace.cluster.kubeconfig)) as cluster:
            return await story(cluster)

    return asyncio.run(connected())


def test_what_is_applied_is_there_and_what_others_own_survives(namespace: Namespace) -> None:
    namespace.apply(config_map(namespace, theirs="1", contested="theirs"))

    async def story(cluster: Cluster) -> dict[str, Any]:
        await cluster.apply(config_map(namespace, ours="1", contested="ours", passing="1"))
        return await cluster.apply(config_map(namespace, ours="2", contested="ours"))

    applied = asking(namespace, story)
    assert applied["data"] == {"theirs": "1", "ours": "2", "contested": "ours"}
    assert namespace.get("configmap", "ours")["data"] == applied["data"]
    assert "stoker" in [each["manager"] for each in applied["metadata"]["managedFields"]]


def test_the_same_applied_twice_is_not_written_twice(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> list[str]:
        applied = [await cluster.apply(config_map(namespace, ours="1")) for _ in range(2)]
        return [each["metadata"]["resourceVersion"] for each in applied]

    first, second = asking(namespace, story)
    assert first == second


def test_a_status_is_applied_to_the_status_alone(namespace: Namespace) -> None:
    service = {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {"namespace": namespace.name, "name": "ours"},
        "spec": {"ports": [{"port": 80}]},
    }
    condition = {
        "type": "stoker.dev/test",
        "status": "True",
        "reason": "Tested",
        "message": "",
        "lastTransitionTime": "2026-01-01T00:00:00Z",
    }

    async def story(cluster: Cluster) -> dict[str, Any]:
        before = await cluster.apply(service)
        status = {**service, "status": {"conditions": [condition]}}
        del status["spec"]
        after = await cluster.apply(status, subresource="status")
        assert after["spec"] == before["spec"]
        return after

    assert asking(namespace, story)["status"]["conditions"] == [condition]


def test_what_is_not_there_is_none(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> list[Any]:
        await cluster.apply(config_map(namespace, ours="1"))
        found = [
            await cluster.get("v1", "ConfigMap", namespace.name, name) for name in ("ours", "none")
        ]
        return [each and each["data"] for each in found]

    assert asking(namespace, story) == [{"ours": "1"}, None]


def test_only_this_very_object_is_deleted(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> list[bool]:
        first = await cluster.create(config_map(namespace))
        await cluster.delete(first)
        await cluster.delete(first)  # gone already
        second = await cluster.create(config_map(namespace))
        await cluster.delete(first)  # another one by now
        there = [await cluster.get("v1", "ConfigMap", namespace.name, "ours") is not None]
        await cluster.delete(second)
        return [*there, await cluster.get("v1", "ConfigMap", namespace.name, "ours") is not None]

    assert asking(namespace, story) == [True, False]


def test_what_has_changed_meanwhile_is_not_overwritten(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> ApiError:
        first = await cluster.create(config_map(namespace, ours="1"))
        await cluster.replace({**first, "data": {"ours": "2"}})
        with pytest.raises(ConflictError, match="already exists"):
            await cluster.create(config_map(namespace))
        with pytest.raises(ConflictError, match="has been modified") as caught:
            await cluster.replace({**first, "data": {"ours": "3"}})
        return caught.value

    assert asking(namespace, story).status == 409
    assert namespace.get("configmap", "ours")["data"] == {"ours": "2"}


SETTINGS = Settings("sidecar:1", network_policy=NetworkPolicySettings())
EVERYTHING = {
    "storage": {"volumeClaim": {"size": "1Gi"}},
    "disruption": {"minHot": 1},
    "replicas": 0,
    "rollout": {"maxSurge": 0, "maxUnavailable": 1},
}
"""With this an LLMDeployment has an object of every kind that Kubernetes itself has."""


def test_what_has_a_name_already_is_never_taken_over_by_what_is_new(namespace: Namespace) -> None:
    objects = desired(resource(EVERYTHING, namespace=namespace.name), SETTINGS)

    async def story(cluster: Cluster) -> None:
        for each in objects:
            made = await cluster.apply_new(each)
            with pytest.raises(ConflictError):
                await cluster.apply_new(each)
            kept = await cluster.apply(each)
            assert kept["metadata"]["uid"] == made["metadata"]["uid"]

    asking(namespace, story)
    assert len({each["kind"] for each in objects}) == 8


def test_a_refusal_says_what_the_api_server_says(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.apply({**config_map(namespace), "data": {"not a key!": ""}})

    with pytest.raises(ApiError, match=r"a valid config key must consist of") as caught:
        asking(namespace, story)
    assert (caught.value.status, caught.value.reason) == (422, "Invalid")
    assert str(caught.value).startswith("the API server says 422 Invalid: ConfigMap")


def test_an_object_of_an_unknown_field_is_refused(namespace: Namespace) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.apply({**config_map(namespace), "daata": {}})

    with pytest.raises(ApiError, match="field not declared in schema"):
        asking(namespace, story)


@pytest.fixture
def pod_access(namespace: Namespace, tmp_path: Path) -> Access:
    """The way in of a pod whose ServiceAccount may do nothing."""
    namespace.kubectl("create", "serviceaccount", "powerless")
    kubeconfig = yaml.safe_load(Path(namespace.cluster.kubeconfig).read_text())
    server = kubeconfig["clusters"][0]["cluster"]
    authority = server.get("certificate-authority-data")
    (tmp_path / "ca.crt").write_bytes(
        base64.b64decode(authority)
        if authority
        else Path(server["certificate-authority"]).read_bytes()
    )
    (tmp_path / "token").write_text(namespace.kubectl("create", "token", "powerless").strip())
    url = urlsplit(server["server"])
    environment = {
        "KUBERNETES_SERVICE_HOST": str(url.hostname),
        "KUBERNETES_SERVICE_PORT": str(url.port),
    }
    return Access(environment=environment, service_account=tmp_path)


def test_a_pod_is_known_by_its_service_account(namespace: Namespace, pod_access: Access) -> None:
    async def story(cluster: Cluster) -> None:
        await cluster.apply(config_map(namespace))

    with pytest.raises(ApiError, match=f"serviceaccount:{namespace.name}:powerless") as caught:
        asking(namespace, story, pod_access)
    assert (caught.value.status, caught.value.reason) == (403, "Forbidden")


def test_a_token_that_is_refused_is_read_anew(
    namespace: Namespace, pod_access: Access, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(channel, "_CREDENTIALS_LAST_SECONDS", 0)
    token = pod_access.service_account / "token"
    good = token.read_text()
    token.write_text("outdated")

    async def story(cluster: Cluster) -> list[int]:
        seen = []
        for text in ("outdated", good):
            token.write_text(text)
            with pytest.raises(ApiError) as caught:
                await cluster.apply(config_map(namespace))
            seen.append(caught.value.status)
        return seen

    assert asking(namespace, story, pod_access) == [401, 403]


def test_who_we_are_is_never_shown(namespace: Namespace, pod_access: Access) -> None:
    by_certificate = asyncio.run(Access(namespace.cluster.kubeconfig).connection())
    by_token = asyncio.run(pod_access.connection())

    assert by_certificate.key_file
    assert by_certificate.authorization is None
    token = (pod_access.service_account / "token").read_text()
    assert by_token.authorization == f"Bearer {token}"
    assert token not in repr(by_token)
    assert by_token.server == by_certificate.server
