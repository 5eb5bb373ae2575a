"""The LLMDeployments that are made, and what each of them wants."""

import asyncio
from collections.abc import Iterable
from typing import Any

from stoker_api.reading import read
from stoker_api.resource import API_VERSION, KIND
from stoker_operator.cluster import Cluster
from stoker_operator.desired import NetworkPolicySettings, Settings, desired

NAMESPACE = "fleet"
SIDECAR = "stoker-sidecar:bench"
FLAGS = ("--network-policy", "--sidecar-image", SIDECAR)
SETTINGS = Settings(SIDECAR, network_policy=NetworkPolicySettings())

AT_ONCE = 16
"""Creations under way at a time, as of a person who applies a folder of files."""

Manifest = dict[str, Any]
Name = tuple[str, str]
"""Kind and name."""


def manifest(name: str) -> Manifest:
    """An LLMDeployment with all that can be had without a disk: seven objects."""
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {"name": name, "namespace": NAMESPACE},
        "spec": {
            "model": f"registry:5000/bench/{name}:7b",
            "disruption": {"minHot": 1},
            "podTemplate": {"tolerations": [{"key": "kwok.x-k8s.io/node", "operator": "Exists"}]},
        },
    }


def wanted(resource: Manifest) -> dict[Name, Manifest]:
    """What an LLMDeployment, as it is in the cluster, should have."""
    return {name_of(each): each for each in desired(read(resource), SETTINGS)}


def name_of(found: Manifest) -> Name:
    return found["kind"], found["metadata"]["name"]


def kinds() -> list[tuple[str, str]]:
    """The API version and the kind of all that is watched."""
    example = manifest("example")
    example["metadata"]["uid"] = "none"
    children = [(each["apiVersion"], each["kind"]) for each in wanted(example).values()]
    return [(API_VERSION, KIND), *children]


async def create(cluster: Cluster, names: Iterable[str]) -> list[Manifest]:
    """Makes LLMDeployments, all at once; what they are then."""
    limit = asyncio.Semaphore(AT_ONCE)

    async def one(name: str) -> Manifest:
        async with limit:
            return await cluster.create(manifest(name))

    return await asyncio.gather(*map(one, names))
