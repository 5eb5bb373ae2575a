"""Phase and conditions of an LLMDeployment, pod by pod and obstacle by obstacle."""

from dataclasses import dataclass, field
from typing import Any

import pytest

from stoker_operator.observed import Problem
from support.manifests import Json
from support.pods_seen import Seeing, World, claim, condition, deployment, pod

A, B, C = pod("phi3-a"), pod("phi3-b", made=10), pod("phi3-c", made=20)
NO_GPU = "0/3 nodes are available: 3 Insufficient nvidia.com/gpu."
FAILED = {"status": "True", "reason": "FailedCreate"}
TIMED_OUT = {"status": "False", "reason": "ProgressDeadlineExceeded"}
NO_SURGE = {"maxSurge": 0, "maxUnavailable": 1}


@dataclass(frozen=True)
class Case:
    """What is seen, and what is to be said of it."""

    says: str
    pods: tuple[Seeing, ...]
    phase: str
    progressing: str = "True"
    """Its status."""
    reason: str = ""
    """… its reason …"""
    words: tuple[str, ...] = ()
    """… and what has to be in its message."""
    replicas: int = 1
    spec: Json = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)
    hot: str = "0/1"


CASES = (
    Case(
        "nothing is there yet",
        (),
        "Pending",
        reason="Applying",
        seen={"deployment": None},
    ),
    Case(
        "Kubernetes has not looked at the Deployment yet",
        (),
        "Pending",
        reason="Applying",
        seen={"deployment": {"metadata": {"generation": 1}}},
    ),
    Case(
        "Kubernetes has made a pod, and not said so of the Deployment yet",
        (A.shut("Pulling"),),
        "Pulling",
        reason="HeatingUp",
        seen={"deployment": {"metadata": {"generation": 1}}},
    ),
    Case(
        "a pod is hot before Kubernetes has said anything of the Deployment",
        (A.hot(),),
        "Hot",
        reason="Complete",
        hot="1/1",
        seen={"deployment": {"metadata": {"generation": 1}}},
    ),
    Case(
        "the Deployment has gone, and has left its pod",
        (A.hot(),),
        "Hot",
        reason="Applying",
        hot="1/1",
        seen={"deployment": None},
    ),
    Case("a pod has just been made", (A,), "Pending", reason="HeatingUp", words=("no node",)),
    Case("a node prepares it", (A.placed(),), "Pending", reason="HeatingUp", words=("images",)),
    Case(
        "its model is being pulled",
        (A.shut("Pulling", "Pulling phi3:mini: 1.0 GiB of 2.3 GiB"),),
        "Pulling",
        reason="HeatingUp",
        words=("phi3-a (Pulling)", "1.0 GiB of 2.3 GiB"),
    ),
    Case("its model is loaded", (A.shut("Loading"),), "Loading", reason="HeatingUp"),
    Case("its model is not loaded yet", (A.shut("NotLoaded"),), "Loading", reason="HeatingUp"),
    Case("it warms up", (A.shut("WarmingUp"),), "Warming", reason="HeatingUp"),
    Case(
        "the way up is that of the pod that is furthest",
        (A.shut("Pulling"), B.shut("WarmingUp"), C),
        "Warming",
        replicas=3,
        hot="0/3",
        reason="HeatingUp",
        words=("phi3-b",),
    ),
    Case(
        "hot, and the message says what a new pod costs",
        (A.hot(),),
        "Hot",
        hot="1/1",
        reason="Complete",
        words=("1 pod is hot", "pulls the model anew", "emptyDir"),
    ),
    Case("a suspicion is no loss", (A.hot(reason="Silent"),), "Hot", hot="1/1", reason="Complete"),
    Case(
        "hot, though a newer sidecar gives a reason that nobody knows here",
        (A.hot(reason="Radiant"),),
        "Hot",
        hot="1/1",
        reason="Complete",
    ),
    Case(
        "scaled out: the new pod is on its way",
        (A.hot(), B.shut("Loading")),
        "Loading",
        replicas=2,
        hot="1/2",
        reason="HeatingUp",
    ),
    Case(
        "one of two pods is stuck",
        (A.hot(), B.shut("Deadlocked", "no byte for 4 s")),
        "Degraded",
        "False",
        replicas=2,
        hot="1/2",
        reason="Deadlocked",
        words=("phi3-b", "no byte for 4 s"),
    ),
    Case(
        "one of two pods has lost its heat",
        (A.hot(), B.shut("Crashed", at=90)),
        "Degraded",
        replicas=2,
        hot="1/2",
        reason="HeatingUp",
    ),
    Case("the only pod has lost its heat", (A.shut("Evicted"),), "Cold", reason="HeatingUp"),
    Case(
        "a gate that stays open over a dead sidecar is worth nothing",
        (A.hot(at=40).unready(at=60, message="containers with unready status: [sidecar]"),),
        "Cold",
        reason="HeatingUp",
        words=("NotReady", "unready status: [sidecar]"),
    ),
    Case(
        "an open gate that Kubernetes has not taken up yet is not hot yet",
        (A.running().hot(at=40).unready(at=2),),
        "Warming",
        reason="HeatingUp",
        words=("not count the pod as Ready yet",),
    ),
    Case(
        "not even within the same second",
        (A.running().hot(at=40).unready(at=40),),
        "Warming",
        reason="HeatingUp",
    ),
    Case("a pod that leaves is not hot", (A.hot().deleted(),), "Pending", reason="HeatingUp"),
    Case(
        "a person is needed, and no pod is hot",
        (A.shut("ModelNotFound", "the registry has no such model. Check `model`"),),
        "Blocked",
        "False",
        reason="ModelNotFound",
        words=("Check `model`",),
    ),
    Case(
        "when it is tried again is not said: that would count down in the status",
        (
            A.shut(
                "PullRefused",
                "Pulling phi3 failed (attempt 3): 401: check the access. Next attempt in 4 min",
            ),
        ),
        "Blocked",
        "False",
        reason="PullRefused",
        words=("phi3-a (PullRefused): Pulling phi3 failed: 401: check the access",),
    ),
    Case(
        "the image is not there",
        (A.waiting("ImagePullBackOff", "Back-off pulling image"),),
        "Blocked",
        "False",
        reason="ImagePullBackOff",
        words=("ollama/ollama:0.17.4", "Back-off pulling image", "imagePullSecrets"),
    ),
    Case(
        "a container ends again and again",
        (
            A.waiting(
                "CrashLoopBackOff",
                lastState={"terminated": {"reason": "OOMKilled", "exitCode": 137}},
            ),
        ),
        "Blocked",
        "False",
        reason="CrashLoopBackOff",
        words=("OOMKilled", "137", "kubectl logs"),
    ),
    Case(
        "of a server that is not there the kubelet knows more than the sidecar",
        (A.waiting("CrashLoopBackOff").shut("ServerDown", "nothing listens"),),
        "Blocked",
        "False",
        reason="CrashLoopBackOff",
    ),
    Case(
        "no node has the GPUs",
        (A.unschedulable(NO_GPU),),
        "Pending",
        "False",
        spec={"gpu": {"count": 2}},
        reason="Unschedulable",
        words=(NO_GPU, "2 nvidia.com/gpu"),
    ),
    Case(
        "no node has room for the second pod",
        (A.hot(), B.unschedulable(NO_GPU)),
        "Degraded",
        "False",
        replicas=2,
        hot="1/2",
        reason="Unschedulable",
    ),
    Case(
        "the quota is used up",
        (),
        "Pending",
        "False",
        seen={
            "deployment": deployment(
                0, ReplicaFailure={**FAILED, "message": "pods is forbidden: exceeded quota: few"}
            )
        },
        reason="QuotaExceeded",
        words=("exceeded quota: few", "Raise the quota"),
    ),
    Case(
        "an admission rule refuses the pods",
        (),
        "Pending",
        "False",
        seen={"deployment": deployment(0, ReplicaFailure={**FAILED, "message": "denied by x"})},
        reason="FailedCreate",
        words=("denied by x",),
    ),
    Case(
        "the claim has no volume",
        (A.unschedulable("pod has unbound immediate PersistentVolumeClaims"),),
        "Pending",
        "False",
        seen={"claim": claim("Pending")},
        reason="ClaimPending",
        words=("phi3-models", "unbound immediate", "kubectl describe pvc phi3-models"),
    ),
    Case(
        "a claim that waits for its first pod holds up nothing",
        (A,),
        "Pending",
        seen={"claim": claim("Pending")},
        reason="HeatingUp",
    ),
    Case(
        "the volume is gone",
        (A,),
        "Pending",
        "False",
        seen={"claim": claim("Lost")},
        reason="ClaimLost",
    ),
    Case(
        "the roll-out has not moved for too long",
        (A.shut("Loading"),),
        "Loading",
        "False",
        seen={"deployment": deployment(Progressing=TIMED_OUT)},
        reason="ProgressDeadlineExceeded",
        words=("rollout.progressDeadline (60min)", "phi3-a (Loading)"),
    ),
    Case(
        "in a roll-out the old pod serves while the new one heats",
        (A.hot(), B.shut("Loading")),
        "Hot",
        seen={"deployment": deployment(1, there=2)},
        hot="1/1",
        reason="RollingOut",
        words=("1 of 1 pod is updated, 1 hot",),
    ),
    Case(
        "a Deployment that has not been looked at yet is not complete",
        (A.hot(),),
        "Hot",
        seen={"deployment": {"metadata": {"generation": 2}, "status": {"observedGeneration": 1}}},
        hot="1/1",
        reason="RollingOut",
        words=("0 of 1 pod is updated",),
    ),
    Case(
        "in a roll-out the new pod cannot start: said, while the old one serves",
        (A.hot(), B.waiting("ErrImagePull")),
        "Hot",
        "False",
        seen={"deployment": deployment(1, there=2)},
        hot="1/1",
        reason="ErrImagePull",
        words=("phi3-b",),
    ),
    Case(
        "without surge the gap is said beforehand",
        (A.hot(),),
        "Hot",
        spec={"rollout": NO_SURGE},
        hot="1/1",
        reason="Complete",
        words=("rollout.maxSurge is 0", "none is hot"),
    ),
    Case(
        "without surge the gap among several is smaller",
        (A.hot(), B.hot()),
        "Hot",
        replicas=2,
        spec={"rollout": NO_SURGE},
        hot="2/2",
        reason="Complete",
        words=("1 pod too few",),
    ),
    Case(
        "a share of one pod is one pod: Kubernetes takes at least that",
        (A.hot(), B.hot()),
        "Hot",
        replicas=2,
        spec={"rollout": {"maxSurge": "0%", "maxUnavailable": "10%"}},
        hot="2/2",
        reason="Complete",
        words=("1 pod too few",),
    ),
    Case("suspended", (), "Suspended", spec={"suspend": True}, hot="0/0", reason="Suspended"),
    Case(
        "scaled to nothing",
        (A.hot().deleted(),),
        "Suspended",
        replicas=0,
        hot="0/0",
        reason="Suspended",
    ),
    Case(
        "paused: nothing is changed, and the heat is told all the same",
        (A.hot(),),
        "Hot",
        "False",
        seen={"paused": True},
        hot="1/1",
        reason="Paused",
        words=("stoker.dev/paused",),
    ),
    Case(
        "a name is taken",
        (),
        "Blocked",
        "False",
        seen={"problems": (Problem("NameTaken", "Service phi3 belongs to somebody else"),)},
        reason="NameTaken",
        words=("Service phi3",),
    ),
    Case(
        "the API server cannot be asked",
        (A.hot(),),
        "Hot",
        "False",
        seen={"problems": (Problem("ApiError", "it has not answered within 5 s"),)},
        hot="1/1",
        reason="ApiError",
    ),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_phase_and_progress(case: Case) -> None:
    found = World({"replicas": case.replicas, **case.spec}).look(*case.pods, **case.seen)
    progressing = condition(found, "Progressing")
    assert (found.status.phase, found.status.hot) == (case.phase, case.hot)
    assert (progressing.status, progressing.reason) == (case.progressing, case.reason)
    assert all(words in progressing.message for words in case.words), progressing.message
    assert "attempt" not in progressing.message


@dataclass(frozen=True)
class Said:
    """What is to be said in one condition."""

    says: str
    kind: str
    pods: tuple[Seeing, ...]
    status: str
    reason: str
    words: tuple[str, ...] = ()
    replicas: int = 1
    spec: Json = field(default_factory=dict)
    seen: dict[str, Any] = field(default_factory=dict)


HEAT = (
    Said("as many as wanted", "Hot", (A.hot(), B.hot()), "True", "Hot", ("2 of 2",), 2),
    Said("more than wanted", "Hot", (A.hot(), B.hot()), "True", "Hot", ("2 of 1",)),
    Said("on its way", "Hot", (A.shut("Loading"),), "False", "HeatingUp", ("phi3-a (Loading)",)),
    Said(
        "lost, and the worst is named",
        "Hot",
        (A.hot(), B.shut("Crashed", "its process has ended", at=90)),
        "False",
        "HeatLost",
        ("1 of 2 pods are hot", "phi3-b (Crashed): its process has ended"),
        2,
    ),
    Said("a person is needed", "Hot", (A.shut("DiskFull"),), "False", "Blocked", ("DiskFull",)),
    Said("none is wanted", "Hot", (), "False", "Suspended", ("replicas is 0",), 0),
    Said(
        "opened by hand",
        "Hot",
        (A.hot(reason="TreatedAsHot", message="Opened by hand, though it is Cold"),),
        "True",
        "TreatedAsHot",
        ("though it is Cold", "stoker.dev/treat-as-hot"),
    ),
    Said(
        "one of two takes traffic",
        "Available",
        (A.hot(), B.shut("Loading")),
        "True",
        "Available",
        ("1 pod takes traffic at http://phi3.llms.svc:11434",),
        2,
    ),
    Said("none takes traffic", "Available", (A.shut("Loading"),), "False", "NoneHot"),
    Said("suspended", "Available", (), "False", "Suspended", spec={"suspend": True}),
    Said("valid", "Accepted", (), "True", "Accepted"),
    Said(
        "refused by an admission rule",
        "Accepted",
        (A.hot(),),
        "False",
        "Refused",
        ("policy says no",),
        seen={"problems": (Problem("Refused", "policy says no"),)},
    ),
    Said(
        "a server that does not answer is no fault of the resource",
        "Accepted",
        (),
        "True",
        "Accepted",
        seen={"problems": (Problem("ApiError", "not answered"),)},
    ),
)


@pytest.mark.parametrize("case", HEAT, ids=lambda case: f"{case.kind}: {case.says}")
def test_heat_is_said_as_it_is(case: Said) -> None:
    found = World({"replicas": case.replicas, **case.spec}).look(*case.pods, **case.seen)
    told = condition(found, case.kind)
    assert (told.status, told.reason) == (case.status, case.reason)
    assert all(words in told.message for words in case.words), told.message


def test_every_condition_names_the_generation_that_it_is_about() -> None:
    found = World(generation=7).look(A.hot())
    assert found.status.observed_generation == 7
    assert {each.observed_generation for each in found.status.conditions} == {7}
    kinds = [each.type for each in found.status.conditions]
    assert kinds == [
        "Accepted",
        "Progressing",
        "Hot",
        "OnDevice",
        "WithinBudget",
        "Routed",
        "Available",
    ]
