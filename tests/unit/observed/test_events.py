"""What a person is told: the way from one status to the next."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from stoker_api import wire
from stoker_api.status import Status
from stoker_operator.observed import Problem, refused
from support.manifests import Json
from support.pods_seen import NOW, Seeing, World, deployment, events, pod, sidecar

A, B = pod("phi3-a"), pod("phi3-b", made=10)
ONCE_LOST = sidecar(counters=wire.Counters(3, 1, 1, 0, 9, 0))
PULLED = sidecar(cold_start=wire.ColdStart(35.0, 1.0, 4.0, 0.5))


@dataclass(frozen=True)
class Story:
    """Looks one after the other; the last one tells."""

    says: str
    looks: tuple[tuple[Seeing, ...], ...]
    told: dict[str, tuple[str, ...]]
    """The events of the last look, by reason, and what has to be in their sentences."""
    sidecar: wire.Status = field(default_factory=sidecar)
    spec: Json = field(default_factory=dict)


HOT, SHUT = (A.hot(),), (A.shut("Crashed", "its process has ended", at=50),)

STORIES = (
    Story(
        "the first heat",
        ((A.shut("WarmingUp"),), HOT),
        {"Hot": ("phi3-a is hot 40s after it was made: it answers",)},
    ),
    Story("hot still", (HOT, HOT), {}),
    Story("a suspicion", (HOT, (A.hot(reason="Silent"),)), {}),
    Story(
        "a loss",
        (HOT, SHUT),
        {"HeatLost": ("phi3-a has lost its heat: Crashed: its process has ended",)},
    ),
    Story("a loss is told once", (HOT, SHUT, (A.shut("Loading", at=50),)), {}),
    Story(
        "heat regained, as the sidecar counts it",
        (HOT, SHUT, (A.shut("Loading", at=50),), (A.hot(at=58),)),
        {"Reheated": ("phi3-a is hot again after 8.0s",)},
        sidecar=ONCE_LOST,
    ),
    Story(
        "heat regained, before anything else was seen",
        (HOT, SHUT, (A.hot(at=55),)),
        {"Reheated": ("after 5.0s",)},
    ),
    Story(
        "the sidecar is gone, and nobody shuts the gate",
        (HOT, (A.hot().unready(at=70),)),
        {"HeatLost": ("NotReady",)},
    ),
    Story(
        "the node ends the pod",
        (HOT, (A.hot().evicted(),)),
        {"HeatLost": ("Evicted: The node was low on resource: memory",)},
    ),
    Story("the pod is deleted", (HOT, (A.hot().deleted(),)), {}),
    Story("the pod drains", (HOT, (A.shut("Draining", at=60),)), {}),
    Story("the pod is gone at once", (HOT, ()), {}),
    Story(
        "stuck, which is a loss too",
        (HOT, (A.shut("Deadlocked", "no byte", at=60),)),
        {"HeatLost": ("Deadlocked",), "Stuck": ("phi3-a is stuck: Deadlocked: no byte",)},
    ),
    Story(
        "stuck on its way up",
        ((A.shut("Loading"),), (A.shut("LoadStalled"),)),
        {"Stuck": ("LoadStalled",)},
    ),
    Story(
        "no longer stuck",
        (HOT, (A.shut("Deadlocked", at=60),), (A.shut("Recovering", at=60),)),
        {"Recovered": ("no longer stuck (Deadlocked)", "Cold now")},
    ),
    Story(
        "the model is pulled",
        ((A.shut("Pulling"),), (A.shut("Loading"),)),
        {"Pulled": ("phi3-a has pulled the model: 2.1Gi in 35s",)},
        sidecar=PULLED,
    ),
    Story(
        "opened by hand",
        (SHUT, (A.hot(at=60, reason="TreatedAsHot", message="it is Cold"),)),
        {"TreatedAsHot": ("phi3-a takes traffic by hand: TreatedAsHot: it is Cold",)},
    ),
    Story(
        "opened by hand, still",
        ((A.hot(at=60, reason="TreatedAsHot"),), (A.hot(at=60, reason="TreatedAsHot"),)),
        {},
    ),
    Story(
        "a person is needed",
        ((A.shut("NotPulled"),), (A.shut("ModelNotFound", "Check `model`"),)),
        {"ModelNotFound": ("Check `model`",)},
    ),
    Story(
        "no node has room",
        ((A,), (A.unschedulable("0/3 nodes"),)),
        {"Unschedulable": ("0/3 nodes",)},
    ),
    Story(
        "the pull brings nothing",
        ((A.shut("NotPulled"),), (A.shut("Pulling"),)),
        {"PullStalled": ("No progress",)},
        sidecar=sidecar(warnings=("No progress for longer than warmup.deadline (900 s)",)),
    ),
    Story(
        "over budget",
        ((A.shut("Loading"),), HOT),
        {"Hot": (), "OverBudget": ("phi3-a takes 5.0Gi", "is 4.0Gi")},
        spec={"gpu": {"memoryBudget": "4Gi"}},
        sidecar=sidecar(
            residency=wire.Residency(2 * 2**30, 2 * 2**30, None),
            warnings=("It takes 5.0 GiB; gpu.memoryBudget is 4.0 GiB",),
        ),
    ),
    Story(
        "on the CPU, though there is a GPU",
        ((A.shut("Loading"),), HOT),
        {"Hot": (), "CPUFallback": ("phi3-a",)},
        spec={"gpu": {}},
        sidecar=sidecar(residency=wire.Residency(2 * 2**30, 0, None)),
    ),
    Story(
        "the clients' way leads elsewhere",
        ((A.shut("Loading"),), HOT),
        {"Hot": (), "WrongModel": ("another is there",)},
        sidecar=sidecar(
            routes=(
                wire.Route(
                    wire.Api.OLLAMA, ok=False, reason="WrongModel", message="another is there"
                ),
            )
        ),
    ),
)


@pytest.mark.parametrize("story", STORIES, ids=lambda story: story.says)
def test_what_is_told(story: Story) -> None:
    world = World(story.spec)
    *looks, last = story.looks
    for pods in looks:
        # What the story's sidecar has to tell, it tells in the last look.
        world = world.after(*pods, sidecars={"phi3-a": sidecar()})
    found = world.look(*last, sidecars={"phi3-a": story.sidecar})
    told = events(found)
    assert set(told) == set(story.told)
    for reason, words in story.told.items():
        assert all(each in told[reason] for each in words), told[reason]


def test_an_event_is_about_its_pod_and_warns_of_what_is_bad() -> None:
    lost = World().after(*HOT).look(*SHUT).events
    assert [(each.type, each.reason, each.subject) for each in lost] == [
        ("Warning", "HeatLost", "phi3-a")
    ]
    back = World().after(*HOT).after(*SHUT).look(A.hot(at=60)).events
    assert [(each.type, each.reason, each.subject) for each in back] == [
        ("Normal", "Reheated", "phi3-a")
    ]


def test_a_roll_out_that_is_done_is_told() -> None:
    rolling: Any = deployment(1, there=2)
    world = World().after(A.hot(), B.shut("Loading"), deployment=rolling)
    found = world.look(A.hot().deleted(), B.hot(at=60), deployment=deployment(1))
    assert set(events(found)) == {"Hot", "RolledOut"}


def test_each_pod_of_a_fleet_that_loses_its_heat_is_told_of_though_not_all_are_listed() -> None:
    names = [f"phi3-{number:02}" for number in range(40)]
    world = World({"replicas": 40}).after(*(pod(name).hot() for name in names))
    hurt = pod("phi3-39").shut("Evicted", at=50)
    found = world.look(*(pod(name).hot() for name in names[:-1]), hurt)
    assert [(each.reason, each.subject) for each in found.events] == [("HeatLost", "phi3-39")]


def test_the_cause_is_told_again_when_it_is_another_one() -> None:
    world = World().after(A.unschedulable("0/3 nodes"))
    assert events(world.look(A.unschedulable("0/4 nodes"))) == {}
    assert set(events(world.look(A.shut("DiskFull")))) == {"DiskFull"}


def test_a_resource_that_cannot_be_read_says_so_once_and_keeps_what_is_known_of_its_pods() -> None:
    before = World().look(A.hot()).status
    problem = Problem("Invalid", "spec.replicas: must be at least 0")
    found = refused(2, before, (problem,), NOW)
    assert (found.status.phase, found.status.hot, found.status.observed_generation) == (
        "Blocked",
        "1/1",
        2,
    )
    assert events(found) == {
        "Invalid": "spec.replicas: must be at least 0. Its objects are left as they are"
    }
    assert refused(2, found.status, (problem,), NOW).events == ()


def test_the_first_status_of_all_tells_only_what_is_so() -> None:
    assert refused(1, Status(), (), NOW).status.phase == "Blocked"
    assert events(World().look()) == {}
