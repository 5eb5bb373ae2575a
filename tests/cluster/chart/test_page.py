"""The status page of a release: reached as its notes say, and in no other way."""

import json
import os
import re
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import pytest

from bed import machine
from bed.layout import Bed
from cluster.chart.release import Release
from support.manifests import Json

SECONDS = 20
PAGE_PORT = 8081

# Tries to connect from a machine of the bed.
KNOCK = """
import socket, sys
socket.create_connection((sys.argv[1], int(sys.argv[2])), timeout=3)
"""


def command_of(release: Release) -> str:
    """The command that the notes name, with any free port on this side."""
    notes = release.helm("status")
    (found,) = re.findall(r"^ +kubectl port-forward .*(?:\\\n.*)* 8081$", notes, re.MULTILINE)
    return str(found).strip().removesuffix("8081") + ":8081"


@contextmanager
def forwarded(release: Release, command: str) -> Iterator[str]:
    """The page's address on this machine, while the command runs."""
    cluster = release.namespace.cluster
    path = f"{Path(cluster.kubectl_program).parent}:{os.environ['PATH']}"
    with subprocess.Popen(
        ["sh", "-c", f"exec {command}"],
        env={**os.environ, "KUBECONFIG": str(cluster.kubeconfig), "PATH": path},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        try:
            assert process.stdout
            told = process.stdout.readline()
            port = re.search(r"127\.0\.0\.1:(\d+) -> 8081", told)
            assert port, told
            yield f"http://localhost:{port[1]}/"
        finally:
            process.send_signal(signal.SIGINT)


def first_message(url: str) -> Json:
    with httpx.stream("GET", f"{url}events", timeout=SECONDS, trust_env=False) as answer:
        text = next(line for line in answer.iter_lines() if line.startswith("data: "))
    message: Json = json.loads(text.removeprefix("data: "))
    return message


def test_the_page_is_where_the_notes_say_and_nowhere_else(
    bed: Bed, release: Release, simulator: Json
) -> None:
    release.install()
    model = release.resource("phi3")
    model.apply(simulator)
    model.until_hot(seconds=60)
    with forwarded(release, command_of(release)) as url:
        assert "<title>Stoker</title>" in httpx.get(url, timeout=SECONDS, trust_env=False).text
        (line,) = first_message(url)["lines"]
        assert (line["name"], line["phase"]) == ("phi3", "Hot")
        whole = httpx.get(f"{url}llmdeployments/{line['id']}", timeout=SECONDS, trust_env=False)
        (pod,) = whole.json()["pods"]
        assert pod["isLive"], "its sidecar has not answered"

    lease = release.namespace.get("lease", "stoker-operator")
    leader = lease["spec"]["holderIdentity"].rpartition("-")[0]
    operators = {each["metadata"]["name"]: each for each in release.operators()}
    (waiting,) = operators.keys() - {leader}
    with forwarded(
        release, f"kubectl port-forward -n {release.namespace.name} pod/{waiting} :{PAGE_PORT}"
    ) as url:
        assert f"pod/{leader}" in first_message(url)["absence"]

    address = operators[leader]["status"]["podIP"]
    knock = machine.inside(bed.nodes()[0], ["python3", "-c", KNOCK, address, str(PAGE_PORT)])
    done = subprocess.run(knock, capture_output=True, text=True, check=False, timeout=SECONDS)
    assert "ConnectionRefusedError" in done.stderr


@pytest.mark.slow
def test_without_the_page_nothing_is_there(release: Release) -> None:
    release.install({"page": {"enabled": False}})
    assert "port-forward" not in release.helm("status")
    containers = [each["spec"]["containers"][0] for each in release.operators()]
    assert [arg for each in containers for arg in each["args"] if arg.startswith("--page")] == []
