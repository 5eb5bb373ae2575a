"""The gate against a real API server: what lands, what is left alone, what happens without it."""

import asyncio
import base64
import json
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from bed.cluster import Namespace
from stoker_api.wire import HOT_CONDITION, HotCondition
from stoker_sidecar.apiserver import Identity, PodClient
from stoker_sidecar.gate import Gate, WriteResult
from stoker_sidecar.pace import TEMPO, Tempo
from support.gates import at_work

HOT = HotCondition(
    hot=True, reason="Proven", message="2 of 2", last_transition_time="2026-01-01T00:00:00Z"
)
COLD = replace(
    HOT, hot=False, reason="Crashed", message="", last_transition_time="2026-01-02T00:00:00Z"
)
RIGHTS = """
apiVersion: v1
kind: ServiceAccount
metadata: {name: sidecar}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {name: sidecar}
rules: [{apiGroups: [""], resources: [pods/status], verbs: [patch]}]
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {name: sidecar}
roleRef: {apiGroup: rbac.authorization.k8s.io, kind: Role, name: sidecar}
subjects: [{kind: ServiceAccount, name: sidecar}]
"""
CONTAINER = {
    "name": "main",
    "command": ["sleep", "infinity"],
    "securityContext": {"allowPrivilegeEscalation": False, "capabilities": {"drop": ["ALL"]}},
}
NEVER_SCHEDULED = {"schedulingGates": [{"name": "stoker.dev/test"}]}


@dataclass
class World:
    """A pod, and what its sidecar would find in its environment and files."""

    namespace: Namespace
    who: Identity
    folder: Path

    def pod(self) -> dict[str, Any]:
        return self.namespace.get("pod", self.who.pod)

    def condition(self) -> HotCondition | None:
        return HotCondition.of(self.pod()["status"].get("conditions", []))

    def new_token(self, account: str = "sidecar") -> None:
        token = self.namespace.kubectl("create", "token", account)
        (self.folder / "token").write_text(token)

    def gate(
        self, through: "Line | None" = None, tempo: Tempo = TEMPO
    ) -> AbstractAsyncContextManager[Gate]:
        who = replace(self.who, host="127.0.0.1", port=through.port) if through else self.who
        return at_work(Gate(PodClient(who, self.folder), tempo=tempo))


@pytest.fixture
def world(namespace: Namespace, tmp_path: Path) -> World:
    """A pod that is never scheduled, so that nobody else writes its status any more."""
    world = _world(namespace, tmp_path, NEVER_SCHEDULED)

    def scheduler_has_seen_it() -> None:
        assert world.pod()["status"].get("conditions")

    namespace.wait_for(scheduler_has_seen_it)
    return world


def _world(namespace: Namespace, folder: Path, spec: dict[str, Any]) -> World:
    namespace.apply(RIGHTS)
    namespace.apply(_pod("hot", spec))
    view = json.loads(
        namespace.kubectl("config", "view", "--minify", "--raw", "--flatten", "--output=json")
    )
    place = view["clusters"][0]["cluster"]
    server = urlsplit(place["server"])
    (folder / "ca.crt").write_bytes(base64.b64decode(place["certificate-authority-data"]))
    uid = namespace.get("pod", "hot")["metadata"]["uid"]
    who = Identity(server.hostname or "", server.port or 443, namespace.name, "hot", uid)
    world = World(namespace, who, folder)
    world.new_token()
    return world


def _pod(name: str, spec: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "labels": {"app": "hot"}},
        "spec": {
            "terminationGracePeriodSeconds": 0,
            "readinessGates": [{"conditionType": HOT_CONDITION}],
            "securityContext": {
                "runAsNonRoot": True,
                "runAsUser": 1000,
                "seccompProfile": {"type": "RuntimeDefault"},
            },
            "containers": [{"image": "none", **CONTAINER}],
            **spec,
        },
    }


async def _until(what: str, holds: Callable[[], object], seconds: float = 10) -> None:
    try:
        async with asyncio.timeout(seconds):
            while not holds():  # noqa: ASYNC110 - it is others that change
                await asyncio.sleep(0.005)
    except TimeoutError:
        raise AssertionError(f"{what} did not come within {seconds} s") from None


async def _until_written(gate: Gate, times: int) -> None:
    await _until(f"write {times}", lambda: gate.writes[WriteResult.WRITTEN] == times)


def test_a_wish_lands_and_nothing_else_of_the_pod_is_changed(world: World) -> None:
    before = world.pod()

    async def story() -> None:
        async with world.gate() as gate:
            gate.want(HOT)
            await _until("a write", lambda: gate.in_step)

    asyncio.run(story())
    after = world.pod()
    assert HotCondition.of(after["status"]["conditions"]) == HOT
    others = [each for each in after["status"]["conditions"] if each["type"] != HOT_CONDITION]
    assert others == before["status"].get("conditions", [])
    for pod in (before, after):
        del pod["metadata"]["resourceVersion"], pod["status"]["conditions"]
    assert after == before


def test_a_transition_time_moves_with_the_status_only(world: World) -> None:
    async def story() -> None:
        async with world.gate(tempo=replace(TEMPO, new_words=0)) as gate:
            wishes = (
                HOT,
                replace(HOT, message="3", last_transition_time="2026-02-02T00:00:00Z"),
                replace(HOT, reason="X", last_transition_time="2026-02-03T00:00:00Z"),
            )
            for written, wish in enumerate(wishes, start=1):
                gate.want(wish)
                await _until_written(gate, written)
                expected = replace(wish, last_transition_time=HOT.last_transition_time)
                assert world.condition() == expected
            gate.want(COLD)
            await _until_written(gate, 4)
            assert world.condition() == COLD

    asyncio.run(story())


def test_a_sidecar_that_starts_again_leaves_a_gate_that_is_right_alone(world: World) -> None:
    async def story() -> None:
        async with world.gate() as gate:
            gate.want(HOT)
            await _until("a write", lambda: gate.in_step)
        version = world.pod()["metadata"]["resourceVersion"]
        async with world.gate() as gate:
            gate.want(replace(HOT, last_transition_time="2026-03-03T00:00:00Z"))
            await _until("a look", lambda: gate.in_step)
            assert not gate.writes
        assert world.pod()["metadata"]["resourceVersion"] == version, "a look wrote something"
        async with world.gate() as gate:
            gate.want(replace(HOT, reason="X", last_transition_time="2026-03-03T00:00:00Z"))
            await _until_written(gate, 1)
        seen = world.condition()
        assert seen == replace(HOT, reason="X"), "the status has not changed, nor has its time"

    asyncio.run(story())


def test_a_flap_is_limited_and_ends_as_wanted(world: World) -> None:
    async def story() -> None:
        async with world.gate() as gate:
            began = time.monotonic()
            for _ in range(100):
                gate.want(HOT)
                await asyncio.sleep(0.01)
                gate.want(COLD)
                await asyncio.sleep(0.01)
            await _until("the last wish", lambda: gate.in_step)
            took = time.monotonic() - began
        assert world.condition() == COLD
        openings = TEMPO.burst + took * TEMPO.tokens_per_second
        # As many shuts; and one of each that was begun and overtaken.
        assert sum(gate.writes.values()) <= 2 * openings + 2, gate.writes

    asyncio.run(story())


def test_what_somebody_else_made_of_the_gate_is_put_right(world: World) -> None:
    async def story() -> None:
        async with world.gate(tempo=replace(TEMPO, check=0.2)) as gate:
            gate.want(HOT)
            await _until("a write", lambda: gate.in_step)
            world.namespace.patch_status("pod", "hot", {"conditions": [COLD.to_condition()]})
            await _until_written(gate, 2)
        assert world.condition() == HOT

    asyncio.run(story())


def test_the_newest_token_is_used(world: World) -> None:
    good = (world.folder / "token").read_text()

    async def story() -> None:
        async with world.gate() as gate:
            (world.folder / "token").write_text("stale")
            gate.want(HOT)
            await _until("a refusal", lambda: gate.error)
            assert "token (401" in str(gate.error)
            (world.folder / "token").write_text(good)
            await _until("a write", lambda: gate.in_step)
            assert gate.error is None

    asyncio.run(story())


def test_a_missing_right_is_said_with_what_to_do_and_used_once_it_is_there(world: World) -> None:
    world.namespace.kubectl("delete", "rolebinding", "sidecar")

    async def story() -> None:
        tempo = replace(TEMPO, refused_retry=0.5)
        async with world.gate(tempo=tempo) as gate:
            gate.want(HOT)
            await _until("a refusal", lambda: gate.error)
            assert "403" in str(gate.error)
            assert "needs the verb patch on pods/status; look at its RoleBinding" in str(gate.error)
            world.namespace.apply(RIGHTS)
            await _until("a write", lambda: gate.in_step)

    asyncio.run(story())


def test_a_pod_that_is_being_deleted_is_leaving_and_another_is_not(world: World) -> None:
    finalizers = {"metadata": {"finalizers": ["stoker.dev/test"]}}
    world.namespace.kubectl("patch", "pod", "hot", f"--patch={json.dumps(finalizers)}")

    async def story() -> None:
        async with world.gate(tempo=replace(TEMPO, leaving_known=0)) as gate:
            assert await gate.leaving() is False
            world.namespace.kubectl("delete", "pod", "hot", "--wait=false")
            assert await gate.leaving() is True
            world.namespace.kubectl(
                "patch", "pod", "hot", "--type=merge", '--patch={"metadata":{"finalizers":null}}'
            )
            world.namespace.apply(_pod("hot", NEVER_SCHEDULED))
            assert await gate.leaving() is True, "that is another pod of the same name"
            gate.want(HOT)
            await _until("a refusal", lambda: gate.error)
            assert "is another one by now" in str(gate.error)

    asyncio.run(story())


def test_a_pod_that_is_evicted_is_leaving(world: World) -> None:
    # Kubernetes takes it back where it is old and the pod is still there.
    now = datetime.now(UTC).isoformat(timespec="seconds")
    target = {"type": "DisruptionTarget", "status": "True", "lastTransitionTime": now}
    world.namespace.patch_status("pod", "hot", {"conditions": [target]})

    async def story() -> None:
        async with world.gate() as gate:
            assert await gate.leaving() is True

    asyncio.run(story())


def test_a_gate_opens_and_shuts_a_running_pod(
    namespace: Namespace, tmp_path: Path, python_image: str
) -> None:
    """The kubelet writes the same list of conditions."""
    spec = {"containers": [{"image": python_image, **CONTAINER}]}
    world = _world(namespace, tmp_path, spec)

    def conditions() -> dict[str, str]:
        found = world.pod()["status"].get("conditions", [])
        return {each["type"]: each["status"] for each in found}

    def runs() -> None:
        assert conditions().get("ContainersReady") == "True"

    namespace.wait_for(runs, seconds=60)
    before = conditions()
    assert before["Ready"] == "False"

    async def story() -> None:
        async with world.gate() as gate:
            gate.want(HOT)
            await _until("Ready", lambda: conditions()["Ready"] == "True")
            assert conditions() == before | {"Ready": "True", HOT_CONDITION: "True"}
            gate.want(COLD)
            await _until("not Ready", lambda: conditions()["Ready"] == "False")

    asyncio.run(story())


@pytest.mark.usefixtures("bed")  # whose certificate names loopback, where the forwarder is
def test_a_write_lands_soon_after_the_api_server_is_back(world: World) -> None:
    async def story() -> None:
        async with forwarding(world.who) as line, world.gate(line) as gate:
            gate.want(HOT)
            await _until("a write", lambda: gate.in_step)
            for way in (line.refuse, line.swallow):
                await way()
                written = gate.writes[WriteResult.WRITTEN]
                wish = COLD if written == 1 else HOT
                gate.want(wish)
                await _until("a failure", lambda: gate.error)
                assert await gate.leaving() is None
                await line.mend()
                started = asyncio.get_running_loop().time()
                await _until_written(gate, written + 1)
                took = asyncio.get_running_loop().time() - started
                assert took < 2, way.__name__
                assert world.condition() == wish

    asyncio.run(story())


class Line:
    """A way to the API server that can be cut: with a refusal, or in silence."""

    def __init__(self, target: tuple[str, int]) -> None:
        self._target = target
        self._server: asyncio.Server | None = None
        self._writers: set[asyncio.StreamWriter] = set()
        self._swallows = False
        self.port = 0

    async def mend(self) -> None:
        self._swallows = False
        if self._server is None:
            self._server = await asyncio.start_server(self._carry, "127.0.0.1", self.port)
            self.port = self._server.sockets[0].getsockname()[1]

    async def refuse(self) -> None:
        """Nothing listens any more, and what was open is cut."""
        if self._server:
            self._server.close()
            self._server = None
        for writer in self._writers:
            writer.transport.abort()

    async def swallow(self) -> None:
        """Connections are taken, and lead nowhere."""
        await self.mend()
        self._swallows = True

    async def _carry(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection(*self._target)
        self._writers |= {writer, back}
        copies: list[Awaitable[None]] = [self._copy(reader, back), self._copy(there, writer)]
        try:
            await asyncio.gather(*copies)
        finally:
            self._writers -= {writer, back}
            writer.close()
            back.close()

    async def _copy(self, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        try:
            while data := await source.read(65536):
                if not self._swallows:
                    sink.write(data)
                    await sink.drain()
        except ConnectionError:
            pass
        finally:
            sink.close()


@asynccontextmanager
async def forwarding(who: Identity) -> AsyncIterator[Line]:
    line = Line((who.host, who.port))
    await line.mend()
    try:
        yield line
    finally:
        await line.refuse()
