"""The operator's client, and API servers that do not answer as they should."""

import asyncio
import json
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest

from stoker_operator.api_errors import ApiError, ClusterError, NoClusterError, UnreachableError
from stoker_operator.channel import Limits
from stoker_operator.cluster import Cluster
from stoker_operator.credentials import Access
from stoker_operator.desired import Manifest

LIMITS = Limits(seconds=0.5, patience_seconds=1)
Answering = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]


def kubeconfig(folder: Path, port: int) -> str:
    path = folder / "kubeconfig"
    server = {"server": f"http://127.0.0.1:{port}"}
    path.write_text(
        json.dumps(
            {
                "clusters": [{"name": "it", "cluster": server}],
                "contexts": [{"name": "it", "context": {"cluster": "it", "user": "me"}}],
                "current-context": "it",
                "users": [{"name": "me", "user": {}}],
            }
        )
    )
    return str(path)


def failure(folder: Path, answering: Answering) -> ClusterError:
    """How a request fails at a server that answers like that."""
    error = outcome(folder, answering)
    assert isinstance(error, ClusterError)
    return error


def outcome(folder: Path, answering: Answering) -> ClusterError | Manifest | None:
    """What becomes of a request at a server that answers like that."""
    served: list[asyncio.Task[None] | None] = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        served.append(asyncio.current_task())
        with suppress(ConnectionError):  # the client has hung up, as it should
            await answering(reader, writer)
            writer.close()
            await writer.wait_closed()

    async def story() -> ClusterError | Manifest | None:
        server = await asyncio.start_server(serve, "127.0.0.1", 0)
        async with server:
            port = server.sockets[0].getsockname()[1]
            async with Cluster.connect(Access(kubeconfig(folder, port)), LIMITS) as cluster:
                found: ClusterError | Manifest | None
                try:
                    found = await cluster.get("v1", "ConfigMap", "here", "it")
                except ClusterError as error:
                    found = error
            await asyncio.wait([each for each in served if each], timeout=5)
        return found

    return asyncio.run(story())


def saying(status: str, body: bytes, *headers: str) -> Answering:
    head = "\r\n".join([f"HTTP/1.1 {status}", f"Content-Length: {len(body)}", *headers])

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(head.encode() + b"\r\n\r\n" + body)
        await reader.read()  # until the client closes

    return answer


async def silence(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.read()


async def hanging_up(reader: asyncio.StreamReader, _: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")


@pytest.mark.parametrize(
    ("answering", "sentence"),
    [
        pytest.param(silence, "has not answered within 0.5 s", id="silence"),
        pytest.param(hanging_up, "does not answer: Server disconnected", id="it hangs up"),
        pytest.param(saying("200 OK", b"<html>"), "is no API server", id="another server"),
        pytest.param(
            saying("200 OK", b" " * (9 * 2**20)), "more than 8388608 bytes", id="too much"
        ),
    ],
)
def test_no_answer_is_told_in_a_sentence(
    answering: Answering, sentence: str, tmp_path: Path
) -> None:
    error = failure(tmp_path, answering)

    assert isinstance(error, UnreachableError)
    assert sentence in str(error)


def test_a_server_that_says_later_says_when(tmp_path: Path) -> None:
    status = {"kind": "Status", "reason": "TooManyRequests", "message": "later,\nplease"}
    body = json.dumps(status).encode()
    error = failure(tmp_path, saying("429 Too Many Requests", body, "Retry-After: 7"))

    assert isinstance(error, ApiError)
    assert (error.status, error.reason, error.message) == (429, "TooManyRequests", "later, please")
    assert error.retry_after_seconds == 7


def test_a_server_that_wants_to_be_left_alone_for_a_moment_is(tmp_path: Path) -> None:
    refusal = saying("429 Too Many Requests", b"{}", "Retry-After: 0", "Connection: close")
    answers = [refusal, refusal, saying("200 OK", b'{"kind": "ConfigMap"}')]

    async def one_after_the_other(
        reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        await answers.pop(0)(reader, writer)

    assert outcome(tmp_path, one_after_the_other) == {"kind": "ConfigMap"}


def test_a_proxy_s_error_page_is_quoted(tmp_path: Path) -> None:
    error = failure(tmp_path, saying("502 Bad Gateway", b"<h1>no upstream</h1>"))

    assert str(error) == "the API server says 502 Bad Gateway: <h1>no upstream</h1>"


def access(**given: Any) -> Access:
    return Access(**{"environment": {}, **given})


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        pytest.param(None, "there is no kubeconfig", id="missing"),
        pytest.param("", "cannot be used", id="empty"),
        pytest.param("a: [", "cannot be used", id="not YAML"),
        pytest.param("clusters: 1", "cannot be used", id="something else"),
    ],
)
def test_a_kubeconfig_of_no_use_is_named(
    content: str | None, sentence: str, tmp_path: Path
) -> None:
    path = tmp_path / "mine"
    if content is not None:
        path.write_text(content)

    with pytest.raises(NoClusterError, match=f"kubeconfig {path}|{path}.*") as caught:
        asyncio.run(access(kubeconfig=str(path)).connection())
    assert sentence in str(caught.value)


def test_a_pod_without_a_token_is_told_what_to_mount(tmp_path: Path) -> None:
    environment = {"KUBERNETES_SERVICE_HOST": "10.96.0.1", "KUBERNETES_SERVICE_PORT": "443"}

    with pytest.raises(NoClusterError, match="automountServiceAccountToken: true"):
        asyncio.run(access(environment=environment, service_account=tmp_path).connection())


def test_nowhere_at_all_says_where_it_has_looked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))

    with pytest.raises(NoClusterError, match=r"not a pod .* no .*\.kube/config; give --kubeconfig"):
        asyncio.run(access().connection())
