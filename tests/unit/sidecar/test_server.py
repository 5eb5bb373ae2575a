"""Addresses to listen on, and the page; what needs a connection is in tests/contract/sidecar."""

import re
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from stoker_api import wire
from stoker_sidecar.errors import UsageError
from stoker_sidecar.page import Transition, page
from stoker_sidecar.server import endpoint
from support.statuses import HOT, STARTING

HOSTILE = "<script>alert('x')</script>\"&\n\x00\ud800"
TRANSITION = Transition("2026-01-01T00:00:00Z", wire.HeatState.COLD, "Crashed", "runner 7 ended")


@pytest.mark.parametrize(
    ("listen", "where"),
    [
        (":9464", ("", 9464)),
        ("127.0.0.1:9464", ("127.0.0.1", 9464)),
        ("[::1]:9464", ("::1", 9464)),
        ("[::]:0", ("::", 0)),
        ("localhost:80", ("localhost", 80)),
    ],
)
def test_an_address_is_a_host_and_a_port(listen: str, where: tuple[str, int]) -> None:
    assert endpoint(listen) == where


@pytest.mark.parametrize(
    "listen", ["", "9464", "::1:9464", "127.0.0.1:", "a:b", ":65536", ":-1", ":٣", "[::1]"]
)
def test_what_is_no_address_is_refused_with_an_example(listen: str) -> None:
    with pytest.raises(UsageError, match=r"write HOST:PORT, as in 127\.0\.0\.1:9464"):
        endpoint(listen)


class Tags(HTMLParser):
    """The names of all elements of a document."""

    def __init__(self, document: bytes) -> None:
        super().__init__()
        self.names: set[str] = set()
        self.feed(document.decode())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.names.add(tag)
        assert all(not name.startswith("on") for name, _ in attrs)


def test_the_page_says_what_state_it_is_why_and_what_came_before() -> None:
    text = page("phi3:mini", HOT, [TRANSITION]).decode()
    for said in (
        '<h1 class="good">Hot</h1>',
        "<b>Proven</b>: 2 answers in a row, first token after 180 ms",
        "since 2026-01-01T00:00:00Z, gate open: this pod takes traffic",
        "Cold (Crashed): runner 7 ended",
        "5.0 GiB used, 80.0 GiB in all, 50% busy, 310 W, 41 °C",
        "92.5 tokens/s",
        "ok, Reached: in 12 ms",
    ):
        assert said in text, said


def test_the_page_of_a_sidecar_that_knows_nothing_yet_is_short() -> None:
    text = page("phi3:mini", STARTING, []).decode()
    assert '<h1 class="bad">Unreachable</h1>' in text
    assert re.findall("<h2>(.*?)</h2>", text) == ["Worth knowing"]
    assert "<td>Ollama&#x27;s processes are out of sight" in text
    assert "None" not in text


def test_hostile_words_stay_words() -> None:
    status = replace(
        HOT,
        reason=HOSTILE,
        message=HOSTILE,
        since=HOSTILE,
        config_error=HOSTILE,
        warnings=(HOSTILE,),
        model=wire.ModelFigures(HOSTILE, HOSTILE, 1, HOSTILE, HOSTILE, 1),
        residency=wire.Residency(1, 1, HOSTILE),
        gpus=(wire.GpuFigures(HOSTILE, HOSTILE, None, None, None, None, None),),
        routes=(wire.Route(wire.Api.OLLAMA, ok=False, reason=HOSTILE, message=HOSTILE),),
    )
    transition = Transition(HOSTILE, wire.HeatState.HOT, HOSTILE, HOSTILE)
    names = Tags(page(HOSTILE, status, [transition])).names
    assert names == Tags(page("phi3:mini", HOT, [TRANSITION])).names
    assert "script" not in names
