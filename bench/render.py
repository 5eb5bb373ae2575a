"""How long rendering takes: `make bench`.

1,000 LLMDeployments, each unlike the others, from manifest to objects and from manifest to YAML.
Milliseconds each (best and median of five rounds) and the memory that holding all objects takes.
The last line is the ratio to a peer in the same run: copying the finished objects with
`copy.deepcopy`, the least that any renderer would have to do.
"""

import copy
import statistics
import time
import tracemalloc
from collections.abc import Callable
from typing import Any

from stoker_api.reading import read
from stoker_operator.desired import NetworkPolicySettings, Settings, desired
from stoker_operator.documents import to_yaml

COUNT = 1000
ROUNDS = 5
SETTINGS = Settings(
    "stoker-sidecar:bench", network_policy=NetworkPolicySettings(), pod_monitor=True
)


def manifest(number: int) -> dict[str, Any]:
    """An LLMDeployment that uses most of the API."""
    return {
        "apiVersion": "stoker.dev/v1alpha1",
        "kind": "LLMDeployment",
        "metadata": {"name": f"model-{number}", "namespace": "bench", "uid": f"uid-{number}"},
        "spec": {
            "model": f"registry:5000/bench/model-{number}:7b",
            "replicas": number % 5,
            "keepAlive": f"{10 + number}m",
            "gpu": {"memoryBudget": "8Gi", "minOffload": "90%"},
            "options": {"contextLength": 4096 + number, "parallel": 2},
            "server": {"env": [{"name": "HTTPS_PROXY", "value": "http://proxy:3128"}]},
            "disruption": {"minHot": 1},
            "podTemplate": {"labels": {"team": f"team-{number}"}},
        },
    }


def milliseconds_each(work: Callable[[], object]) -> tuple[float, float]:
    """The best and the median round, per LLMDeployment."""
    rounds = []
    for _ in range(ROUNDS):
        start = time.perf_counter()
        work()
        rounds.append((time.perf_counter() - start) * 1000 / COUNT)
    return min(rounds), statistics.median(rounds)


def main() -> None:
    manifests = [manifest(number) for number in range(COUNT)]
    resources = [read(each) for each in manifests]
    objects = [desired(each, SETTINGS) for each in resources]
    steps: dict[str, Callable[[], object]] = {
        "read and judge": lambda: [read(each) for each in manifests],
        "render": lambda: [desired(each, SETTINGS) for each in resources],
        "read and render": lambda: [desired(read(each), SETTINGS) for each in manifests],
        "write as YAML": lambda: [to_yaml(each) for each in objects],
        "deepcopy (peer)": lambda: copy.deepcopy(objects),
    }
    print(f"{COUNT} LLMDeployments, {sum(map(len, objects))} objects\n")
    print(f"{'ms each':<18}{'best':>8}{'median':>8}")
    medians = {}
    for name, work in steps.items():
        best, median = milliseconds_each(work)
        medians[name] = median
        print(f"{name:<18}{best:>8.3f}{median:>8.3f}")

    tracemalloc.start()
    kept = [desired(read(each), SETTINGS) for each in manifests]
    _, peak = tracemalloc.get_traced_memory()
    print(f"\npeak memory       {peak / 2**20:>8.1f} MiB, {peak / len(kept) / 1024:.1f} KiB each")
    print(f"render / deepcopy {medians['render'] / medians['deepcopy (peer)']:>8.2f}")


if __name__ == "__main__":
    main()
