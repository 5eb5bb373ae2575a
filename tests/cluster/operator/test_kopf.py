"""kopf's part, run by kopf's own test tool on a real API server: it tells, and writes nothing."""

import gc
import json
import socket
import urllib.request
from queue import Queue
from typing import Any

import kopf
import pytest
from kopf.testing import KopfRunner

from bed.cluster import Cluster, Namespace, wait_for
from stoker_operator import handlers
from stoker_operator.credentials import Access
from stoker_operator.world import RESOURCE, Change


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def resource(name: str) -> dict[str, Any]:
    metadata = {"name": name}
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "LLMDeployment",
        "metadata": metadata,
        "spec": {"model": "tiny"},
    }


@pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning")
def test_kopf_tells_of_every_change_answers_probes_writes_nothing_and_stops(
    cluster: Cluster,
    namespace: Namespace,
    api: None,  # noqa: ARG001
) -> None:
    told: Queue[Change] = Queue()
    registry = handlers.registry(told.put, Access(cluster.kubeconfig).connection)
    alive = f"http://127.0.0.1:{free_port()}/healthz"
    namespace.apply(resource("before"))
    arguments = ["run", f"--namespace={namespace.name}", f"--liveness={alive}", "--quiet"]

    with KopfRunner(arguments, registry=registry, settings=handlers.settings()) as runner:
        first = told.get(timeout=30)
        assert (first.kind, first.body["metadata"]["name"]) == (RESOURCE, "before")
        namespace.apply(resource("after"))
        second = told.get(timeout=30)
        assert second.body["metadata"]["name"] == "after"
        namespace.kubectl("delete", "llmd", "after", "--wait=false")
        # Without a finalizer it is gone at once, whoever watches.
        last = told.get(timeout=30)
        assert (last.body["metadata"]["name"], last.gone) == ("after", True)

        def answers() -> None:
            with urllib.request.urlopen(alive, timeout=5) as answer:
                assert json.load(answer) == {}

        wait_for(answers)
    assert runner.exit_code == 0, runner.output
    kept = namespace.get("llmd", "before")["metadata"]
    assert "finalizers" not in kept
    assert not any("kopf" in name for name in kept.get("annotations", {}))
    gc.collect()  # kopf leaves a connection for it to close


def test_kopf_looks_for_nothing_but_llmdeployments() -> None:
    chosen = handlers.settings()

    assert chosen.scanning.disabled
    assert chosen.peering.standalone
    assert not chosen.posting.enabled
    assert isinstance(chosen, kopf.OperatorSettings)
