"""Ollama's connections as the sidecar sees them: the real Ollama's and the simulator's."""

import signal
import socket
from collections.abc import Callable, Iterator

import pytest

from bed import models
from contract.ollama.api import Launch, Ollama
from contract.sidecar.stranger import Stranger, stranger
from stoker_sidecar import sockets
from stoker_sidecar.heat.observation import Traffic
from stoker_sidecar.runner import OllamaProcesses
from stoker_sidecar.sockets import OllamaConnections
from stoker_sidecar.traffic import is_drained
from support.waiting import wait_for

WORDS = 2000
"""An answer that is longer than any of these tests."""


class View:
    """What the sidecar sees of a server's connections."""

    def __init__(self, server: Ollama) -> None:
        port = server.http.base_url.port
        assert port is not None
        self._processes = OllamaProcesses(server_pid=server.processes.pid)
        self.connections = OllamaConnections(port)

    def look(self) -> Traffic:
        self._processes.look(None)
        traffic = self.connections.look(self._processes.runner_port)
        assert traffic is not None, self.connections.out_of_sight
        return traffic

    def await_that(self, what: str, condition: Callable[[Traffic], object]) -> Traffic:
        """The traffic once this holds of it."""
        wait_for(what, lambda: condition(self.look()))
        return self.look()


@pytest.fixture
def view(server: Ollama) -> Iterator[View]:
    server.load("tiny", keep_alive=-1)
    view = View(server)
    yield view
    view.connections.close()


@pytest.fixture
def client(server: Ollama, view: View) -> Iterator[Stranger]:
    """A client in another process, connected."""
    del view  # the model is loaded first
    with stranger(server.processes.base_url) as client:
        yield client


def test_the_sidecars_own_requests_do_not_count(server: Ollama, view: View) -> None:
    with server.talking("tiny", WORDS) as lines:
        next(lines)
        traffic = view.look()
    assert (traffic.open, traffic.busy, traffic.bytes_to_clients) == (0, 0, 0)


@pytest.mark.usefixtures("client")
def test_a_client_is_open_and_idle_until_it_asks(view: View) -> None:
    traffic = view.look()
    assert (traffic.open, traffic.busy) == (1, 0)


def test_a_client_that_hangs_up_is_not_open_any_more(server: Ollama, view: View) -> None:
    with stranger(server.processes.base_url):
        assert view.look().open == 1
    view.await_that("the end of the connection", lambda traffic: traffic.open == 0)


def test_a_streamed_answer_moves_bytes_both_from_the_runner_and_to_the_client(
    view: View, client: Stranger
) -> None:
    client.ask(WORDS)
    before = view.await_that("the answer", lambda traffic: traffic.bytes_to_clients)
    assert (before.open, before.busy) == (1, 1)
    view.await_that("more for it", lambda now: now.bytes_to_clients > before.bytes_to_clients)
    view.await_that("more of the runner", lambda now: now.runner_bytes != before.runner_bytes)


@pytest.mark.p(32)
def test_bytes_stand_still_while_the_runner_is_stopped_in_an_answer(
    server: Ollama, view: View, client: Stranger
) -> None:
    client.ask(WORDS)
    view.await_that("the answer", lambda traffic: traffic.bytes_to_clients)
    server.processes.signal(server.runner(), signal.SIGSTOP)
    stopped = view.await_that("silence", lambda traffic: not traffic.busy)
    later = view.look()
    assert later.bytes_to_clients == stopped.bytes_to_clients
    assert later.runner_bytes == stopped.runner_bytes
    # What bytes cannot tell: this answer is not whole.
    assert later.runner_requests == 0


@pytest.mark.p(32)
def test_a_request_to_a_stopped_runner_is_seen_to_wait(
    server: Ollama, view: View, client: Stranger
) -> None:
    server.processes.signal(server.runner(), signal.SIGSTOP)
    client.ask(1)
    waiting = view.await_that("the request", lambda traffic: traffic.runner_requests)
    assert (waiting.runner_requests, waiting.busy) == (1, 1)
    view.await_that("a second of silence", lambda traffic: (traffic.silent_seconds or 0) > 1)
    assert view.look().busy == 1
    server.processes.signal(server.runner(), signal.SIGCONT)
    view.await_that("the answer", lambda traffic: not traffic.runner_requests)


@pytest.mark.slow
@pytest.mark.parametrize("launch", ["real"], indirect=True)  # the simulator reads no prompt
def test_a_request_is_seen_to_wait_during_the_prefill(launch: Launch) -> None:
    server = launch({"big": models.big()})
    server.load("big")
    view = View(server)
    prompt = " ".join(str(number) for number in range(300))
    with server.hanging_up("/api/generate", model="big", prompt=prompt):
        before = view.await_that("the request", lambda traffic: traffic.runner_requests)
        after = view.await_that(
            "three seconds of silence", lambda traffic: (traffic.silent_seconds or 0) > 3
        )
    view.connections.close()
    assert (before.runner_requests, after.runner_requests) == (1, 1)
    assert before.runner_bytes == after.runner_bytes


def test_a_client_is_idle_when_its_answer_has_come(view: View, client: Stranger) -> None:
    client.ask(3)
    client.await_line()
    before = view.await_that("silence", lambda traffic: not traffic.busy)
    assert (before.open, before.runner_requests) == (1, 0)
    assert is_drained(before, view.look(), is_working=False)


def test_an_answer_is_not_drained_before_it_is_whole(view: View, client: Stranger) -> None:
    client.ask(WORDS)
    before = view.await_that("the answer", lambda traffic: traffic.bytes_to_clients)
    assert not is_drained(before, view.look(), is_working=False)


def test_where_nobody_listens_it_is_said_so() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    connections = OllamaConnections(port)
    assert connections.look(None) is None
    assert connections.out_of_sight is not None
    assert f"port {port}" in connections.out_of_sight
    connections.close()


def test_where_the_kernel_lists_no_connections_it_is_said_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    # A protocol that no kernel has is refused as this one is where it is missing.
    monkeypatch.setattr(sockets, "_SOCK_DIAG", 31)
    connections = OllamaConnections(11434)
    assert connections.look(None) is None
    assert (
        connections.out_of_sight == "the kernel does not list connections: Protocol not supported"
    )


def test_ipv4_clients_of_an_ipv6_server_are_told_apart_too() -> None:
    with socket.create_server(("::", 0), family=socket.AF_INET6, dualstack_ipv6=True) as listener:
        port = listener.getsockname()[1]
        connections = OllamaConnections(port)
        own = [socket.create_connection((host, port)) for host in ("127.0.0.1", "::1")]
        traffic = connections.look(None)
        assert traffic is not None
        assert traffic.open == 0
        with stranger(f"http://127.0.0.1:{port}"), stranger(f"http://[::1]:{port}"):
            traffic = connections.look(None)
            assert traffic is not None
            assert traffic.open == 2
        for each in own:
            each.close()
        connections.close()
