"""Clients of a model: on a node of the bed, through the Service, as those in pods do."""

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from bed import machine
from bed.layout import Bed
from cluster.operator.resource import Resource

# Sends requests at a steady pace, each on a connection of its own, and prints what became of each.
# It ends when its standard input does, and when every answer is there.
CLIENT = """
import json, sys, threading, time, urllib.request
url, body, every = sys.argv[1], sys.argv[2].encode(), float(sys.argv[3])
printing = threading.Lock()

def ask():
    began, answer, error = time.time(), {}, None
    try:
        with urllib.request.urlopen(urllib.request.Request(url, body), timeout=60) as response:
            answer = json.load(response)
    except Exception as failure:
        error = f"{type(failure).__name__}: {failure}"
    took = time.time() - began
    loaded = answer.get("load_duration", 0) / 1e9
    with printing:
        print(json.dumps({"at": began, "took": took, "loaded": loaded, "error": error}), flush=True)

def until_told():
    sys.stdin.read()
    told.set()

told = threading.Event()
threading.Thread(target=until_told, daemon=True).start()
asking = []
while not told.wait(every):
    asking.append(threading.Thread(target=ask))
    asking[-1].start()
for each in asking:
    each.join()
"""


@dataclass(frozen=True)
class Answer:
    """What became of a request."""

    at: float
    """By `time.time`."""
    took: float
    loaded: float
    """How long Ollama worked until the model was there; next to nothing while it is hot."""
    error: str | None


class Traffic:
    """A stream of requests; use `traffic()` to get one."""

    def __init__(self, process: "subprocess.Popen[str]") -> None:
        self._process = process
        self.answers: list[Answer] = []

    def stop(self) -> list[Answer]:
        """All answers, once the last one is there."""
        output, _ = self._process.communicate(timeout=90)
        self.answers = [Answer(**json.loads(line)) for line in output.splitlines()]
        return self.answers


@contextmanager
def traffic(bed: Bed, resource: Resource, every_seconds: float = 0.25) -> Iterator[Traffic]:
    """Requests for short answers, while the block lasts; at its end the answers are there."""
    body = question(resource, num_predict=2)
    arguments = [sys.executable, "-c", CLIENT, url_of(resource), body, str(every_seconds)]
    command = machine.inside(bed.nodes()[0], arguments)
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        traffic = Traffic(process)
        try:
            yield traffic
            traffic.stop()
        finally:
            process.kill()


def ask(bed: Bed, resource: Resource) -> dict[str, Any]:
    """One answer, through the Service."""
    command = [sys.executable, "-c", ONCE, url_of(resource), question(resource, num_predict=3)]
    done = subprocess.run(
        machine.inside(bed.nodes()[0], command),
        capture_output=True,
        text=True,
        check=False,
        timeout=90,
    )
    assert done.returncode == 0, done.stderr[-300:]
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


ONCE = """
import sys, urllib.request
request = urllib.request.Request(sys.argv[1], sys.argv[2].encode())
print(urllib.request.urlopen(request, timeout=60).read().decode())
"""


def url_of(resource: Resource) -> str:
    service = resource.namespace.get("service", resource.name)["spec"]
    return f"http://{service['clusterIP']}:{service['ports'][0]['port']}/api/generate"


def question(resource: Resource, num_predict: int) -> str:
    model = resource.get()["spec"]["model"]
    options = {"num_predict": num_predict}
    return json.dumps({"model": model, "prompt": "hi", "stream": False, "options": options})
