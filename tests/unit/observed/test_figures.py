"""What sidecars measure, as of the last transition: conditions, columns, the cold-start ledger."""

from dataclasses import dataclass, field, replace
from typing import Any

import pytest

from stoker_api import wire
from stoker_operator.observed import to_read
from support.manifests import Json, resource
from support.pods_seen import World, condition, pod, sidecar

A, B = pod("phi3-a").hot(), pod("phi3-b", made=10).hot(at=60)
GIB = 2**30
GPU: Json = {"gpu": {"memoryBudget": "8Gi"}}


def gpu(used: int | None) -> wire.GpuFigures:
    return wire.GpuFigures("GPU-0", "H100", 80 * GIB, used, 0.5, 310.0, 41.0)


def told(
    *, vram: int = 4 * GIB, total: int = 4 * GIB, used: int | None = 5 * GIB, **also: Any
) -> wire.Status:
    """A sidecar whose model has so much memory."""
    over = used is not None and used > 8 * GIB
    says = ("It takes 9.0 GiB of GPU memory; gpu.memoryBudget is 8.0 GiB",) if over else ()
    changes = {
        "warnings": says,
        "residency": wire.Residency(total, vram, None),
        "gpus": (gpu(used),),
        **also,
    }
    return sidecar(**changes)


def route(reason: str, message: str = "a sentence") -> wire.Route:
    return wire.Route(wire.Api.OLLAMA, ok=reason == "Reached", reason=reason, message=message)


@dataclass(frozen=True)
class Case:
    """What the sidecars say, and what comes of it."""

    says: str
    kind: str
    status: str
    reason: str
    words: tuple[str, ...] = ()
    a: wire.Status | None = field(default_factory=told)
    b: wire.Status | None = field(default_factory=told)
    spec: Json = field(default_factory=lambda: GPU)
    seen: dict[str, Any] = field(default_factory=dict)


CASES = (
    Case("all on the GPU", "OnDevice", "True", "OnDevice", ("100%", "of 2 pods")),
    Case("no GPU asked for", "OnDevice", "True", "NoGpuWanted", spec={}),
    Case(
        "nothing on the GPU",
        "OnDevice",
        "False",
        "CPUFallback",
        ("phi3-b", "Ollama's log"),
        b=told(vram=0),
    ),
    Case(
        "the least offloaded pod is named",
        "OnDevice",
        "False",
        "PartlyOnCPU",
        ("75%", "phi3-b"),
        b=told(vram=3 * GIB),
    ),
    Case(
        "as much on the GPU as was asked for",
        "OnDevice",
        "True",
        "OnDevice",
        ("75%",),
        b=told(vram=3 * GIB),
        spec={"gpu": {"minOffload": "70%"}},
    ),
    Case(
        "what the GPU contradicts is not on it",
        "OnDevice",
        "False",
        "CPUFallback",
        b=told(used=0),
    ),
    Case(
        "nobody knows where the model is",
        "OnDevice",
        "Unknown",
        "NotMeasured",
        b=told(residency=None),
    ),
    Case(
        "the operator is outside the cluster",
        "OnDevice",
        "Unknown",
        "OutOfReach",
        a=None,
        b=None,
        seen={"sidecars_in_reach": False},
    ),
    Case("no sidecar answers", "OnDevice", "Unknown", "NoAnswer", ("9464",), a=None, b=None),
    Case(
        "the pod that takes most is named, and the sum",
        "WithinBudget",
        "True",
        "WithinBudget",
        ("phi3-b takes most: 6.0Gi of 8.0Gi", "in all 11.0Gi of 16.0Gi on 2 pods"),
        b=told(used=6 * GIB),
    ),
    Case("no budget is set", "WithinBudget", "True", "NoBudget", spec={"gpu": {}}),
    Case(
        "over budget",
        "WithinBudget",
        "False",
        "OverBudget",
        ("phi3-b takes 9.0Gi", "gpu.memoryBudget is 8.0Gi", "Raise the budget"),
        b=told(used=9 * GIB),
    ),
    Case(
        "what others take of a shared GPU is not the pod's",
        "WithinBudget",
        "True",
        "WithinBudget",
        ("phi3-a takes most: 5.0Gi",),
        b=told(used=60 * GIB, warnings=()),
    ),
    Case(
        "a GPU that does not say is not over budget",
        "WithinBudget",
        "Unknown",
        "NotMeasured",
        b=told(used=None),
    ),
    Case(
        "one that says too much is, whatever the others keep to themselves",
        "WithinBudget",
        "False",
        "OverBudget",
        ("phi3-a takes 9.0Gi",),
        a=told(used=9 * GIB),
        b=told(used=None),
    ),
    Case("the way leads here", "Routed", "True", "Reached", ("2 pods", "ollama")),
    Case(
        "the worst way counts",
        "Routed",
        "False",
        "WrongModel",
        ("phi3-b", "another model is there"),
        b=told(routes=(route("WrongModel", "another model is there"),)),
    ),
    Case("nobody has tried yet", "Routed", "Unknown", "NotTried", a=told(routes=()), b=None),
    Case(
        "the Service led to nobody when it was tried",
        "Routed",
        "Unknown",
        "NotTried",
        b=told(routes=(route("NoEndpoints"),)),
    ),
    Case("no API to try", "Routed", "Unknown", "NoApiTried", spec={"routing": {"apis": []}}),
    Case("out of reach", "Routed", "Unknown", "OutOfReach", seen={"sidecars_in_reach": False}),
)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case.kind}: {case.says}")
def test_measured_conditions(case: Case) -> None:
    answers = {"phi3-a": case.a, "phi3-b": case.b}
    sidecars = {name: each for name, each in answers.items() if each}
    found = World({"replicas": 2, **case.spec}).look(A, B, sidecars=sidecars, **case.seen)
    said = condition(found, case.kind)
    assert (said.status, said.reason) == (case.status, case.reason)
    assert all(words in said.message for words in case.words), said.message


@pytest.mark.parametrize("kind", ["OnDevice", "WithinBudget", "Routed"])
def test_without_a_hot_pod_nobody_knows(kind: str) -> None:
    said = condition(World(GPU).look(pod().shut("Loading")), kind)
    assert (said.status, said.reason) == ("Unknown", "NoneHot")


def test_a_gate_that_its_budget_keeps_shut_is_over_it() -> None:
    blocked = pod().shut("OverBudget", "It takes 9 GiB")
    said = condition(World(GPU).look(blocked), "WithinBudget")
    assert (said.status, said.message) == ("False", "phi3-a (OverBudget): It takes 9 GiB")


def test_columns_are_for_people_and_about_the_worst() -> None:
    slow = told(latency=wire.Latency(1.24, 2.0, 30.0), used=6 * GIB, vram=3 * GIB)
    sidecars = {"phi3-a": told(), "phi3-b": slow}
    status = World({"replicas": 2, **GPU}).look(A, B, sidecars=sidecars).status
    assert status.gpu is not None
    assert status.latency is not None
    assert (status.hot, status.hot_replicas, status.replicas) == ("2/2", 2, 2)
    assert (status.gpu.vram, status.gpu.offload) == ("4.0Gi", "75%")
    assert (status.gpu.budget_bytes, status.gpu.measured_bytes) == (8 * GIB, 6 * GIB)
    assert (status.latency.first_token, status.latency.first_token_p95_seconds) == ("1.2s", 2.0)
    assert (status.selector, status.endpoint) == (
        "stoker.dev/llmdeployment=phi3",
        "http://phi3.llms.svc:11434",
    )


def test_the_model_is_that_of_the_youngest_pod_that_is_hot() -> None:
    newer = replace(sidecar().model or pytest.fail("has a model"), digest="sha256:1")
    sidecars = {"phi3-a": told(), "phi3-b": told(model=newer)}
    world = World({"replicas": 2})
    status = world.look(A, B, sidecars=sidecars).status
    assert status.model is not None
    assert (status.model.digest, status.model.parameters) == ("sha256:1", "3.8B")
    assert (status.model.context_length, status.model.quantisation) == (4096, "Q4_0")


def test_the_ledger_goes_from_the_pod_s_making_to_its_first_token() -> None:
    started = wire.ColdStart(30.5, 1.5, 4.75, 0.25)
    status = World().look(A, sidecars={"phi3-a": told(cold_start=started)}).status
    assert status.latency is not None
    assert status.latency.cold_start is not None
    assert status.latency.cold_start.as_json() == {
        "scheduleSeconds": 2.0,
        "imageSeconds": 3.0,
        "pullSeconds": 30.5,
        "verifySeconds": 1.5,
        "loadSeconds": 4.75,
        "firstTokenSeconds": 0.25,
    }


def test_the_gap_of_a_roll_out_without_surge_is_as_long_as_the_last_cold_start() -> None:
    spec: Json = {"rollout": {"maxSurge": 0, "maxUnavailable": 1}}
    started = wire.ColdStart(30.0, None, 4.0, 1.0)
    found = World(spec).look(A, sidecars={"phi3-a": told(cold_start=started)})
    assert "none is hot for about 40s" in condition(found, "Progressing").message


def test_the_images_of_a_container_that_was_started_anew_took_nobody_knows_how_long() -> None:
    again = pod().running(at=500, restarts=2).hot()
    status = World().look(again, sidecars={"phi3-a": told()}).status
    assert status.latency is not None
    assert status.latency.cold_start is not None
    assert status.latency.cold_start.image_seconds is None


def test_pods_are_listed_worst_first_and_32_at_most() -> None:
    fleet = [pod(f"phi3-{number:02}").hot() for number in range(40)]
    sick = [pod("phi3-z").shut("Loading"), pod("phi3-y").shut("Deadlocked"), pod("phi3-x")]
    status = World({"replicas": 43}).look(*fleet, *sick).status
    assert [entry.name for entry in status.pods[:4]] == ["phi3-y", "phi3-x", "phi3-z", "phi3-00"]
    assert (len(status.pods), status.hot) == (32, "40/43")


def test_a_pod_is_listed_with_its_figures() -> None:
    status = World().look(A, sidecars={"phi3-a": told()}).status
    assert [entry.as_json() for entry in status.pods] == [
        {
            "name": "phi3-a",
            "node": "node-1",
            "heat": "Hot",
            "reason": "Hot",
            "since": "2026-01-01T11:59:00Z",
            "vramBytes": 4 * GIB,
            "firstTokenSeconds": 0.18,
        }
    ]


def test_figures_stand_until_the_next_transition() -> None:
    world = World({"replicas": 2, **GPU})
    before = world.after(A, B, sidecars={"phi3-a": told(), "phi3-b": told()})
    slower = told(latency=wire.Latency(9.0, 9.0, 1.0))
    found = before.look(A, B, sidecars={"phi3-a": slower, "phi3-b": slower})
    assert found.status == before.before
    assert found.look_again_seconds is None


def test_an_answer_that_fails_to_come_changes_no_verdict() -> None:
    """One that takes too much is not within its budget because another alone has answered."""
    world = World({"replicas": 2, **GPU})
    over = {"phi3-a": told(used=9 * GIB), "phi3-b": told()}
    before = world.after(A, B, sidecars=over)
    moved = B.hot(at=80, reason="Silent")
    found = before.look(A, moved, sidecars={"phi3-b": told()})
    assert condition(found, "WithinBudget").status == "False"


class TestWhoIsAsked:
    def asked(self, world: World, *pods: Any) -> tuple[str, ...]:
        wanted = resource(world.spec, generation=world.generation)
        return to_read(wanted, world.before, tuple(each.manifest for each in pods))

    def settled(self, **spec: Any) -> World:
        world = World({"replicas": 2, **spec})
        return world.after(A, B, sidecars={"phi3-a": told(), "phi3-b": told()})

    def test_everybody_at_first(self) -> None:
        assert self.asked(World(), A, B) == ("phi3-a", "phi3-b")

    def test_nobody_in_a_steady_state(self) -> None:
        assert self.asked(self.settled(), A, B) == ()

    def test_everybody_when_one_has_changed_and_that_one_first(self) -> None:
        asked = self.asked(self.settled(), A, B.hot(at=70, reason="Silent"))
        assert asked == ("phi3-b", "phi3-a")

    def test_everybody_when_the_spec_has_changed(self) -> None:
        assert len(self.asked(replace(self.settled(), generation=2), A, B)) == 2

    def test_those_on_their_way_each_time(self) -> None:
        climbing = pod("phi3-c").shut("Pulling")
        before = self.settled().after(
            A, B, climbing, sidecars={name: told() for name in ("phi3-a", "phi3-b", "phi3-c")}
        )
        assert self.asked(before, A, B, climbing) == ("phi3-c",)

    def test_the_hot_ones_while_the_way_of_clients_is_not_known_to_be_good(self) -> None:
        before = World().after(A, sidecars={"phi3-a": told(routes=())})
        assert self.asked(before, A) == ("phi3-a",)

    def test_nobody_who_cannot_answer(self) -> None:
        assert self.asked(World(), pod().placed(), A.deleted()) == ()


class TestWhenToLookAgain:
    def test_soon_until_the_way_of_clients_has_been_tried(self) -> None:
        assert World().look(A, sidecars={"phi3-a": told(routes=())}).look_again_seconds == 3

    def test_now_and_then_while_it_leads_nowhere(self) -> None:
        lost = told(routes=(route("DnsFailed"),))
        assert World().look(A, sidecars={"phi3-a": lost}).look_again_seconds == 30

    def test_several_times_within_the_deadline_of_a_pod_on_its_way(self) -> None:
        climbing = pod().shut("Pulling")
        assert World().look(climbing).look_again_seconds == 90

    def test_never_from_outside_the_cluster(self) -> None:
        assert World().look(A, sidecars_in_reach=False).look_again_seconds is None


def test_a_pull_that_brings_no_bytes_is_said() -> None:
    silent = sidecar(warnings=("No progress towards heat for longer than warmup.deadline (900 s)",))
    found = World().look(pod().shut("Pulling"), sidecars={"phi3-a": silent})
    said = condition(found, "Progressing")
    assert (said.status, said.reason) == ("False", "PullStalled")
    assert "warmup.deadline (15min)" in said.message


def test_a_verdict_on_another_spec_is_none_on_this() -> None:
    before = World(GPU).after(A, sidecars={"phi3-a": told()})
    found = replace(before, generation=2).look(A)
    assert condition(found, "WithinBudget").reason == "NoAnswer"


def test_a_condition_s_time_is_that_of_its_last_transition() -> None:
    before = World().after(pod().shut("Loading"))
    lost = condition(before.after(pod().shut("Crashed")).before, "Hot")
    assert lost.reason == "HeatLost"
    assert lost.last_transition_time == "2026-01-01T12:00:00Z"
    assert condition(before.look(A), "Hot").last_transition_time == "2026-01-01T12:01:00Z"
