"""Where a client's way leads, when it is the right one and when it is not.

The wrong ways are made of real servers: a second Ollama, or a gateway in front of the first that
does what gateways do.
"""

import asyncio
import json
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import TypeVar

import h11
import pytest

from bed import models
from contract.ollama.api import Launch, Ollama
from contract.sidecar.asking import answering, ask
from contract.simulator.serving import Simulation, simulating
from stoker_api.wire import Api, Route
from stoker_sidecar.routing import Routes
from stoker_sidecar.site import Site

T = TypeVar("T")

APIS = (Api.OLLAMA, Api.OPENAI)
Forward = Callable[[str], str | None]
"""Where a gateway sends the requests for a path; None where it does not pass it on."""


def own_address(server: Ollama, url: str, *, asked: bool = False) -> str | None:
    return ask(
        server.processes.base_url,
        lambda client: Routes(client).own_address(url, ask=asked),
    )


def service(
    server: Ollama, url: str, *, asked: bool = False, hot: bool = True, model: str = "tiny"
) -> list[Route]:
    asking = APIS if asked else ()
    return list(
        ask(
            server.processes.base_url,
            lambda client: Routes(client).service(url, APIS, asking, hot=hot),
            model,
        )
    )


def reasons(routes: list[Route]) -> list[str]:
    assert [route.api for route in routes] == list(APIS)
    assert all(route.message for route in routes)
    assert all(route.ok is (route.reason == "Reached") for route in routes)
    return [route.reason for route in routes]


@pytest.fixture
def hot(server: Ollama) -> Ollama:
    """A server whose model is loaded."""
    server.load("tiny", keep_alive=-1)
    return server


# --- the right way ------------------------------------------------------------------------------


def test_the_own_address_leads_here(hot: Ollama) -> None:
    assert own_address(hot, hot.processes.base_url) is None
    assert own_address(hot, hot.processes.base_url, asked=True) is None


def test_the_service_leads_here_on_each_api(hot: Ollama) -> None:
    routes = service(hot, hot.processes.base_url)
    assert reasons(routes) == ["Reached", "Reached"]
    assert f"leads to this pod with `tiny` (sha256:{models.tiny().digest})" in routes[0].message


def test_it_answers_in_a_stream_on_each_api(hot: Ollama) -> None:
    runner = hot.runner()
    assert reasons(service(hot, hot.processes.base_url, asked=True)) == ["Reached", "Reached"]
    assert hot.runner() == runner


def test_another_pod_with_the_model_will_do(launch: Launch) -> None:
    here, there = launch(), launch()
    for server in (here, there):
        server.load("tiny", keep_alive=-1)
    before = there.settled_expiry("tiny")
    routes = service(here, there.processes.base_url, asked=True)
    assert reasons(routes) == ["Reached", "Reached"]
    assert "leads to another server with `tiny`" in routes[0].message
    # It might have had to load the model anew, so it was not asked for a word.
    assert there.expiry("tiny") == before


def test_looking_loads_nothing_and_keeps_nothing_alive(server: Ollama) -> None:
    assert reasons(service(server, server.processes.base_url, asked=True)) == ["NotLoaded"] * 2
    assert own_address(server, server.processes.base_url, asked=True) is None
    assert not server.processes.runners()
    server.load("tiny", keep_alive=300)
    before = server.settled_expiry("tiny")
    service(server, server.processes.base_url)
    own_address(server, server.processes.base_url)
    assert server.expiry("tiny") == before


# --- the wrong way ------------------------------------------------------------------------------


def test_another_server_at_the_own_address_is_found_out_by_the_expiry(launch: Launch) -> None:
    here, there = launch(), launch()
    for server in (here, there):
        server.load("tiny", keep_alive=-1)
    url = there.processes.base_url
    assert own_address(here, url) == (
        f"{url} leads to another server with `tiny` (sha256:{models.tiny().digest})"
    )


def test_a_server_with_the_model_on_disk_alone_is_found_out(launch: Launch) -> None:
    here, there = launch(), launch()
    here.load("tiny", keep_alive=-1)
    url = there.processes.base_url
    assert own_address(here, url) == f"{url} has `tiny`, but has not loaded it"
    assert reasons(service(here, url)) == ["NotLoaded", "NotLoaded"]


@pytest.mark.p(38)
def test_a_server_with_other_weights_under_the_name_is_found_out(launch: Launch) -> None:
    here = launch()
    there = launch({"tiny": models.other()})
    for server in (here, there):
        server.load("tiny", keep_alive=-1)
    url = there.processes.base_url
    assert f"has sha256:{models.other().digest} under the name `tiny`" in str(
        own_address(here, url)
    )
    assert reasons(service(here, url)) == ["WrongModel", "WrongModel"]


def test_a_server_without_the_model_is_found_out(launch: Launch) -> None:
    here, there = launch({"mine": models.tiny()}), launch()
    here.load("mine", keep_alive=-1)
    routes = service(here, there.processes.base_url, model="mine")
    assert reasons(routes) == ["WrongModel", "WrongModel"]


# --- nobody there -------------------------------------------------------------------------------

NOBODY = "http://127.0.0.1:9"


def test_a_refused_connection_is_no_proof_against_the_own_address(hot: Ollama) -> None:
    assert own_address(hot, NOBODY) is None


def test_before_anything_is_hot_the_service_leads_to_nobody(server: Ollama) -> None:
    assert reasons(service(server, NOBODY, hot=False)) == ["NoEndpoints"] * 2
    assert reasons(service(server, NOBODY, hot=True)) == ["Unreachable"] * 2


def test_a_name_that_is_not_known_is_told(hot: Ollama) -> None:
    url = "http://no-such-service.invalid:11434"
    assert reasons(service(hot, url)) == ["DnsFailed"] * 2
    assert own_address(hot, url) is None


def test_what_is_no_address_is_told(hot: Ollama) -> None:
    assert reasons(service(hot, "my-service")) == ["Unreachable"] * 2


def test_nothing_can_be_said_while_the_own_ollama_is_away(hot: Ollama) -> None:
    url = hot.processes.base_url
    hot.processes.stop()
    assert reasons(service(hot, url)) == ["Unknown"] * 2
    assert own_address(hot, url) is None
    hot.processes.start()


# --- gateways -----------------------------------------------------------------------------------


async def gateway(reader: asyncio.StreamReader, writer: asyncio.StreamWriter, to: Forward) -> None:
    """Passes requests on, one after the other, and answers when it has all of an answer."""
    connection = h11.Connection(h11.SERVER)
    while True:
        request, body = None, b""
        while (event := connection.next_event()) and not isinstance(event, h11.EndOfMessage):
            if event is h11.NEED_DATA:
                connection.receive_data(await reader.read(65536))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
            else:
                return
        assert request is not None
        status, kind, content = await passed_on(request, body, to)
        headers = [("Content-Type", kind), ("Content-Length", str(len(content)))]
        for part in (
            h11.Response(status_code=status, headers=headers),
            h11.Data(data=content),
            h11.EndOfMessage(),
        ):
            writer.write(connection.send(part) or b"")
        await writer.drain()
        connection.start_next_cycle()


async def passed_on(request: h11.Request, body: bytes, to: Forward) -> tuple[int, str, bytes]:
    path = request.target.decode()
    if (url := to(path)) is None:
        return 404, "text/plain", b"404 page not found"
    with closing(Site(url)) as site:
        document = None if request.method == b"GET" else json.loads(body)
        answer = await site.ask(path, document, seconds=30)
        return answer.status, answer.kind, answer.body


def through(to: Forward, work: Callable[[str], T]) -> T:
    """What comes of `work` in a thread, with the URL of such a gateway."""

    async def working() -> T:
        async with answering(lambda reader, writer: gateway(reader, writer, to)) as url:
            return await asyncio.to_thread(work, url)

    return asyncio.run(working())


LISTS = ("/api/version", "/api/tags", "/api/ps", "/v1/models")


def diverting(lists: Ollama, questions: Ollama) -> Forward:
    """What R4 reports: the lists are of one server, and the answers are another one's."""
    return lambda path: (lists if path in LISTS else questions).processes.base_url


@pytest.fixture
def pair(launch: Launch) -> tuple[Ollama, Ollama]:
    """Two servers with the model loaded, alike in everything."""
    here, there = launch(), launch()
    for server in (here, there):
        server.load("tiny", keep_alive=-1)
    return here, there


def test_answers_that_come_from_elsewhere_are_found_out(pair: tuple[Ollama, Ollama]) -> None:
    here, _ = pair
    to = diverting(*pair)
    assert reasons(through(to, lambda url: service(here, url))) == ["Reached", "Reached"]
    routes = through(to, lambda url: service(here, url, asked=True))
    assert reasons(routes) == ["WrongProvider", "WrongProvider"]
    assert all("no answer was counted here" in route.message for route in routes)


@pytest.mark.slow
def test_so_they_are_at_the_own_address(pair: tuple[Ollama, Ollama]) -> None:
    here, _ = pair
    wrong = through(diverting(*pair), lambda url: own_address(here, url, asked=True))
    assert "its answers come from elsewhere" in str(wrong)


def test_a_gateway_without_ollamas_api_is_a_wrong_provider(hot: Ollama) -> None:
    def only_openai(path: str) -> str | None:
        return hot.processes.base_url if path.startswith("/v1/") else None

    routes = through(only_openai, lambda url: service(hot, url))
    assert reasons(routes) == ["WrongProvider", "WrongProvider"]
    assert "does not answer like Ollama, but 404: 404 page not found" in routes[0].message


def test_a_gateway_without_openais_api_refuses_it(hot: Ollama) -> None:
    def only_ollama(path: str) -> str | None:
        return hot.processes.base_url if path.startswith("/api/") else None

    assert reasons(through(only_ollama, lambda url: service(hot, url))) == ["Reached", "Refused"]


@pytest.fixture
def slow() -> Iterator[Simulation]:
    """A simulator whose words come one by one, for all to see."""
    with simulating("--model", "tinyllama") as simulation:
        simulation.load("tinyllama", keep_alive=-1)
        simulation.inject("slow-answers", factor=2)
        yield simulation


def test_a_gateway_that_holds_words_back_is_found_out(slow: Simulation) -> None:
    def everything(_: str) -> str:
        return slow.processes.base_url

    routes = through(everything, lambda url: service(slow, url, asked=True, model="tinyllama"))
    assert reasons(routes)[0] == "NotStreaming"
    direct = service(slow, slow.processes.base_url, asked=True, model="tinyllama")
    assert reasons(direct)[0] == "Reached"


def test_somebody_else_in_ollamas_name_is_found_out(slow: Simulation) -> None:
    with simulating("--model", "tinyllama") as remote:
        remote.inject("wrong-provider", model="gpt-remote")
        routes = through(
            diverting(slow, remote), lambda url: service(slow, url, asked=True, model="tinyllama")
        )
    assert reasons(routes) == ["WrongProvider", "WrongProvider"]
    assert all("`gpt-remote` answers" in route.message for route in routes)
