"""The gate and an API server that fails in ways in which the real one cannot be made to.

What the real one does is in tests/cluster/test_gate.py.
"""

import asyncio
import json
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import h11
import pytest

from bed.certificates import make_authority, make_certificate
from stoker_api.wire import HotCondition
from stoker_sidecar.apiserver import Identity, PodClient
from stoker_sidecar.gate import Gate, WriteResult
from stoker_sidecar.pace import TEMPO, Tempo
from support.gates import at_work

HOT = HotCondition(
    hot=True, reason="Proven", message="2 of 2", last_transition_time="2026-01-01T00:00:00Z"
)
COLD = replace(HOT, hot=False, reason="Crashed")
QUICK = replace(TEMPO, patience=0.5)

Reply = tuple[int, dict[str, str], bytes]


@dataclass
class ApiServer:
    """Keeps one pod's condition, and answers with whatever is next in `faults`."""

    condition: dict[str, str] | None = None
    faults: list[Reply | None] = field(default_factory=list)
    """For the next requests that write; None: no answer at all."""
    writes: list[float] = field(default_factory=list)
    looks: int = 0
    tokens: list[str] = field(default_factory=list)
    port: int = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER)
        body = b""
        try:
            while not isinstance(event := http.next_event(), h11.EndOfMessage):
                if event is h11.NEED_DATA:
                    http.receive_data(await reader.read(65536))
                elif isinstance(event, h11.Request):
                    self.tokens.append(dict(event.headers)[b"authorization"].decode())
                elif isinstance(event, h11.Data):
                    body += event.data
                elif isinstance(event, h11.ConnectionClosed):
                    return
            reply = self._reply(json.loads(body))
            if reply is None:
                await reader.read()
                return
            code, headers, content = reply
            head = h11.Response(
                status_code=code,
                headers=[*headers.items(), ("Content-Length", str(len(content)))],
            )
            for part in (head, h11.Data(data=content), h11.EndOfMessage()):
                writer.write(http.send(part) or b"")
            await writer.drain()
        except (OSError, h11.ProtocolError):
            pass  # the gate has hung up
        finally:
            writer.close()

    def _reply(self, patch: dict[str, Any]) -> Reply | None:
        conditions = patch.get("status", {}).get("conditions")
        if conditions is None:
            self.looks += 1
        else:
            self.writes.append(asyncio.get_running_loop().time())
            if self.faults:
                return self.faults.pop(0)
            (self.condition,) = conditions
        pod = {
            "metadata": {"name": "hot"},
            "status": {"conditions": [self.condition] if self.condition else []},
        }
        return 200, {}, json.dumps(pod).encode()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What is mounted into a sidecar, and the API server's certificate beside it."""
    folder = tmp_path_factory.mktemp("token") / "pki"
    make_authority(folder)
    make_certificate(folder, "server", "api", addresses=("IP:127.0.0.1",))
    (folder / "token").write_text("good\n")
    return folder


@asynccontextmanager
async def serving(folder: Path) -> AsyncIterator[ApiServer]:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(folder / "server.crt", folder / "server.key")
    api = ApiServer()
    server = await asyncio.start_server(api.serve, "127.0.0.1", 0, ssl=context)
    api.port = server.sockets[0].getsockname()[1]
    try:
        yield api
    finally:
        server.close()


def keeping(
    api: ApiServer, folder: Path, tempo: Tempo = QUICK
) -> AbstractAsyncContextManager[Gate]:
    who = Identity("127.0.0.1", api.port, "llms", "hot", "a-b-c")
    return at_work(Gate(PodClient(who, folder), tempo=tempo))


def run(folder: Path, story: Callable[[ApiServer], Awaitable[None]]) -> None:
    async def told() -> None:
        async with serving(folder) as api:
            await story(api)

    asyncio.run(told())


async def until(what: str, holds: Callable[[], object]) -> None:
    try:
        async with asyncio.timeout(10):
            while not holds():  # noqa: ASYNC110 - it is others that change
                await asyncio.sleep(0.002)
    except TimeoutError:
        raise AssertionError(f"{what} did not come") from None


def status(code: int, message: str = "no", **headers: str) -> Reply:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return code, named, json.dumps({"kind": "Status", "message": message}).encode()


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        (status(503), "(503: no)"),
        (status(429), "(429: no)"),
        (status(409), "(409: no)"),
        (status(500, "etcdserver: leader changed"), "(500: etcdserver: leader changed)"),
        (status(400, "bad\n\x1b[31mwords"), "(400: bad [31mwords)"),
        ((502, {}, b"<html>Bad Gateway</html>"), "(502: <html>Bad Gateway</html>)"),
        ((302, {"Location": "https://127.0.0.1:1/"}, b""), "(302: )"),
        ((200, {}, b"{"), "is not JSON"),
        ((200, {}, b"[]"), "is not an object"),
        ((200, {}, b"[" * 200_000), "is not JSON"),
        ((200, {}, b'{"metadata": 1, "status": {"conditions": 7}}'), "has not kept it"),
        ((200, {}, b" " * (5 * 2**20)), "answers more than 4,194,304 bytes"),
        (None, "has not answered within 0.5 s"),
    ],
)
def test_a_failed_write_is_said_and_sent_again_until_it_sticks(
    folder: Path, fault: Reply | None, said: str
) -> None:
    async def story(api: ApiServer) -> None:
        api.faults = [fault, fault]
        async with keeping(api, folder) as gate:
            gate.want(HOT)
            await until("an error", lambda: gate.error)
            assert said in str(gate.error)
            assert not gate.in_step
            await until("a write", lambda: gate.in_step)
            assert gate.error is None
        assert api.condition == HOT.to_condition()
        assert len(api.writes) == 3

    run(folder, story)


def test_the_api_servers_wish_for_a_pause_is_heeded(folder: Path) -> None:
    async def story(api: ApiServer) -> None:
        api.faults = [status(429, Retry_After="1")]
        async with keeping(api, folder) as gate:
            gate.want(HOT)
            await until("a write", lambda: gate.in_step)
        assert api.writes[1] - api.writes[0] >= 1

    run(folder, story)


def test_nothing_is_sent_while_nothing_changes(folder: Path) -> None:
    async def story(api: ApiServer) -> None:
        async with keeping(api, folder) as gate:
            gate.want(HOT)
            await until("a write", lambda: gate.in_step)
            for _ in range(20):
                gate.want(replace(HOT, last_transition_time="2027-01-01T00:00:00Z"))
                gate.want(HOT)
                await asyncio.sleep(0.01)
        assert (len(api.writes), api.looks) == (1, 1)

    run(folder, story)


def test_a_loss_of_heat_does_not_wait_for_an_opening_that_hangs(folder: Path) -> None:
    async def story(api: ApiServer) -> None:
        api.faults = [None]
        async with keeping(api, folder, replace(QUICK, patience=30)) as gate:
            gate.want(HOT)
            await until("the opening", lambda: api.writes)
            lost = asyncio.get_running_loop().time()
            gate.want(COLD)
            await until("the shut", lambda: gate.in_step)
            assert api.writes[1] - lost < 1
            assert gate.writes == {WriteResult.OVERTAKEN: 1, WriteResult.WRITTEN: 1}
            assert gate.error is None
        assert api.condition == COLD.to_condition()

    run(folder, story)


def test_a_hand_shake_that_is_given_up_leaves_no_connection(folder: Path) -> None:
    async def given_up() -> None:
        ended = asyncio.Event()

        async def mute(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            with suppress(ConnectionError):
                await reader.read()
            ended.set()
            writer.close()

        server = await asyncio.start_server(mute, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        client = PodClient(Identity("127.0.0.1", port, "llms", "hot", "a-b-c"), folder)
        async with server:
            with pytest.raises(TimeoutError):
                async with asyncio.timeout(0.2):
                    await client.look()
            async with asyncio.timeout(10):
                await ended.wait()

    asyncio.run(given_up())


def test_a_write_that_lands_late_is_put_right(folder: Path) -> None:
    """An opening without an answer may be carried out after the shut that followed it."""

    async def story(api: ApiServer) -> None:
        api.faults = [None]
        async with keeping(api, folder, replace(QUICK, patience=0.5)) as gate:
            gate.want(HOT)
            await until("the opening", lambda: api.writes)
            gate.want(COLD)
            await until("the shut", lambda: gate.in_step)
            api.condition = HOT.to_condition()
            await until("the second shut", lambda: len(api.writes) == 3)
            await until("the gate in step", lambda: gate.in_step)
        assert api.condition == COLD.to_condition()

    run(folder, story)


def test_a_certificate_of_another_authority_is_refused(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "pki"
    make_authority(other)
    (other / "token").write_text("good")

    async def story(api: ApiServer) -> None:
        async with keeping(api, other) as gate:
            gate.want(HOT)
            await until("an error", lambda: gate.error)
            assert "CERTIFICATE_VERIFY_FAILED" in str(gate.error)
            assert not api.tokens, "nobody else has seen the token"
            (other / "ca.crt").write_bytes((folder / "ca.crt").read_bytes())
            await until("a write with the new authority", lambda: gate.in_step)

    run(folder, story)


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("token", None, "cannot be read (No such file or directory)"),
        ("ca.crt", None, "cannot be read (No such file or directory)"),
        ("ca.crt", b"", "holds no certificate"),
        ("ca.crt", b"\xff\xfe", "holds no certificate"),
        ("token", b"a\r\nX-Header: b", "holds no token"),
        ("token", b"\xff", "holds no token"),
        ("token", b"\n", "holds no token"),
    ],
)
def test_a_bad_mount_is_said(
    folder: Path, tmp_path: Path, name: str, content: bytes | None, said: str
) -> None:
    for each in ("token", "ca.crt"):
        (tmp_path / each).write_bytes((folder / each).read_bytes())
    if content is None:
        (tmp_path / name).unlink()
    else:
        (tmp_path / name).write_bytes(content)

    async def story(api: ApiServer) -> None:
        async with keeping(api, tmp_path) as gate:
            gate.want(HOT)
            await until("an error", lambda: gate.error)
            assert said in str(gate.error)
            assert await gate.leaving() is None
        assert not api.writes

    run(folder, story)


def test_many_who_ask_whether_the_pod_leaves_ask_once(folder: Path) -> None:
    async def story(api: ApiServer) -> None:
        async with keeping(api, folder) as gate:
            answers = await asyncio.gather(*(gate.leaving() for _ in range(50)))
            assert answers == [False] * 50
            assert await gate.leaving() is False
        assert api.looks == 1

    run(folder, story)
