"""The API server is away for half a minute: clients notice nothing, and the truth is soon told."""

import json
import logging
import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bed import machine, processes
from bed.controlplane import start_api_server
from bed.layout import Bed
from cluster.hot_pods import runner_of
from cluster.operator.clients import traffic
from cluster.operator.installation import Installation
from cluster.operator.resource import Resource, on_a_fake_node
from support.manifests import Json

_log = logging.getLogger(__name__)

AWAY_SECONDS = 30.0
HOT_SECONDS = 180

# A Lease that could not be renewed has to run out before it is taken again.
BACK_SECONDS = 40

# Has the next load take half a minute.
SLOW = """
import urllib.request
url, body = "http://localhost:11435/faults/slow-disk", b'{"factor": 20}'
urllib.request.urlopen(urllib.request.Request(url, body, method="POST"))
"""

POST = """
import sys, urllib.request
print(urllib.request.urlopen(sys.argv[1], sys.argv[2].encode(), timeout=20).read().decode())
"""

pytestmark = pytest.mark.slow


def test_clients_notice_nothing(
    bed: Bed, installation: Installation, own: Resource, simulator: Json
) -> None:
    installation.started()
    own.apply(simulator | {"replicas": 2})
    own.until_hot(replicas=2, seconds=HOT_SECONDS)
    with traffic(bed, own) as clients, api_server_away(bed):
        time.sleep(AWAY_SECONDS)
    assert [each for each in clients.answers if each.error] == []

    installation.started_again_if_ended()
    own.merge({"spec": {"disruption": {"minHot": 1}}})
    own.until_hot(replicas=2, seconds=BACK_SECONDS)


def test_what_happened_meanwhile_is_told_when_it_is_back(
    bed: Bed, installation: Installation, own: Resource, simulator: Json
) -> None:
    installation.started()
    own.apply(simulator)
    own.until_hot(seconds=HOT_SECONDS)
    (pod,) = own.pods().values()
    own.namespace.kubectl(
        "exec", pod["metadata"]["name"], "--container=ollama", "--", "python3", "-c", SLOW
    )
    with api_server_away(bed):
        os.kill(runner_of(pod), signal.SIGKILL)
        time.sleep(AWAY_SECONDS / 2)
    back = time.monotonic()
    installation.started_again_if_ended()

    def is_told() -> None:
        assert own.status()["hotReplicas"] == 0

    own.namespace.wait_for(is_told, BACK_SECONDS)
    _log.info("status true %.2f s after the API server is back", time.monotonic() - back)
    own.until_hot(seconds=HOT_SECONDS)


def test_history_that_is_forgotten_meanwhile_is_not_needed(
    bed: Bed, installation: Installation, own: Resource
) -> None:
    """Etcd is compacted while the API server is away: no watch can go on where it was."""
    installation.started()
    own.apply(on_a_fake_node())
    own.until_applied()
    with api_server_away(bed):
        compact(bed)
    installation.started_again_if_ended()
    own.namespace.kubectl("delete", "service", own.name)
    own.merge({"spec": {"replicas": 2}})
    own.until_applied(seconds=BACK_SECONDS)


@contextmanager
def api_server_away(bed: Bed) -> Iterator[None]:
    """No API server while the block lasts; a ready one after it."""
    processes.stop(bed, "kube-apiserver", signal.SIGKILL)
    try:
        yield
    finally:
        start_api_server(bed)


def compact(bed: Bed) -> None:
    """Has etcd forget all versions but the newest."""
    newest = etcd(bed, "range", {"key": "AA=="})["header"]["revision"]
    etcd(bed, "compaction", {"revision": newest, "physical": True})


def etcd(bed: Bed, what: str, body: Json) -> Json:
    url = f"http://127.0.0.1:2379/v3/kv/{what}"
    done = subprocess.run(
        machine.inside(bed.control_plane, [sys.executable, "-c", POST, url, json.dumps(body)]),
        capture_output=True,
        text=True,
        check=True,
        timeout=30,
    )
    answer: Json = json.loads(done.stdout)
    return answer
