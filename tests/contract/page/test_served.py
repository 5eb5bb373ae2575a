"""The page's answers over HTTP: what is told to whom, and to whom nothing."""

import json
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import httpx
import pytest

from contract.page.conftest import LLAMA, VISION
from stoker_operator.page.board import MOST_FOLLOWERS
from support.fleets import Fleet
from support.manifests import Json
from support.pods_seen import pod
from support.shown import Shown, shown
from support.waiting import wait_for

SECONDS = 15
ASSETS = ("", "page.css", "page.js", "icon.svg")


def get(page: Shown, path: str, **headers: str) -> httpx.Response:
    return httpx.get(page.url + path, headers=headers, timeout=SECONDS, trust_env=False)


@contextmanager
def following(page: Shown) -> Iterator[Iterator[Json]]:
    """What the stream tells, message by message."""
    with httpx.stream("GET", f"{page.url}events", timeout=SECONDS, trust_env=False) as answer:
        assert answer.headers["content-type"] == "text/event-stream"
        yield (
            json.loads(text.removeprefix("data: "))
            for text in answer.iter_lines()
            if text.startswith("data: ")
        )


def until_all(told: Iterator[Json]) -> dict[str, Json]:
    """All lines, as they come first."""
    lines: dict[str, Json] = {}
    for message in told:
        lines |= {line["id"]: line for line in message.get("lines", [])}
        if "all" in message:
            assert set(message["all"]) == set(lines)
            return lines
    raise AssertionError("the stream has ended")


def test_the_page_is_whole_and_takes_nothing_from_elsewhere(page: Shown) -> None:
    for path in ASSETS:
        answer = get(page, path)
        assert answer.status_code == 200
        assert "http://" not in answer.text.replace("http://www.w3.org/", "")
        assert "https://" not in answer.text
        policy = answer.headers["content-security-policy"]
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
        assert answer.headers["x-content-type-options"] == "nosniff"


@pytest.mark.parametrize("path", ["nothing", "llmdeployments/llms", "../etc/passwd", "page.py"])
def test_there_is_nothing_else(page: Shown, path: str) -> None:
    assert get(page, path).status_code == 404


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
def test_it_takes_no_orders(page: Shown, method: str) -> None:
    for path in (*ASSETS, "events", "llmdeployments/llms/coder"):
        answer = httpx.request(method, page.url + path, timeout=SECONDS, trust_env=False)
        assert answer.status_code == 405


def test_a_strangers_name_for_this_machine_opens_nothing(page: Shown) -> None:
    for path in (*ASSETS, "events", "llmdeployments/llms/coder"):
        answer = get(page, path, Host="models.example:8081")
        assert answer.status_code == 403
        assert "localhost" in answer.text
    assert get(page, "", Host="localhost:1234").status_code == 200


def test_the_stream_begins_with_all_and_goes_on_with_what_changes(
    fleet: Fleet, page: Shown
) -> None:
    with following(page) as told:
        assert {id_: line["phase"] for id_, line in until_all(told).items()} == {
            "llms/coder": "Degraded",
            "llms/llama": "Hot",
            "search/vision": "Pending",
        }
        page.do(lambda: fleet.look(VISION, {"model": "llava:13b"}, pod("vision-a").hot()))
        (line,) = next(told)["lines"]
        assert (line["id"], line["phase"]) == ("search/vision", "Hot")
        page.do(lambda: fleet.leave(LLAMA))
        assert next(told)["gone"] == ["llms/llama"]


def test_all_of_one_is_told_to_who_asks(page: Shown) -> None:
    told = get(page, "llmdeployments/llms/coder").json()
    assert [(each["name"], each["reason"]) for each in told["pods"]] == [
        ("coder-b", "Crashed"),
        ("coder-a", "Hot"),
    ]
    assert {each["type"] for each in told["conditions"]} >= {"Hot", "Available", "Progressing"}


def test_one_that_is_not_there_is_said_not_to_be(page: Shown) -> None:
    answer = get(page, "llmdeployments/llms/none")
    assert (answer.status_code, answer.json()) == (
        404,
        {"error": "there is no LLMDeployment llms/none"},
    )


def test_a_replica_that_waits_says_who_leads(page: Shown) -> None:
    page.absence = "This replica waits"
    with following(page) as told:
        assert next(told)["absence"] == "This replica waits"
        assert list(told) == []
    assert get(page, "llmdeployments/llms/none").json() == {"error": "This replica waits"}


def test_the_last_who_comes_is_told_that_there_is_no_place(page: Shown) -> None:
    with ExitStack() as others:
        streams = [others.enter_context(following(page)) for _ in range(MOST_FOLLOWERS)]
        for stream in streams:
            until_all(stream)
        with following(page) as told:
            assert f"{MOST_FOLLOWERS} follow already" in next(told)["absence"]
    wait_for("a free place", lambda: "all" in seen_first(page))


def seen_first(page: Shown) -> Json:
    """What one who comes now is told, until there is nothing more at once."""
    with following(page) as told:
        return next((message for message in told if {"all", "absence"} & message.keys()), {})


def test_who_follows_does_not_keep_the_operator_from_ending(fleet: Fleet) -> None:
    with ExitStack() as stack:
        with shown(fleet.board) as page:
            told = stack.enter_context(following(page))
            until_all(told)
            began = time.monotonic()
        assert time.monotonic() - began < SECONDS / 2
