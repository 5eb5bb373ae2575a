"""The whole demo with a shorter story: what has to be so, however fast the machine is."""

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from io import StringIO
from itertools import pairwise
from xml.etree import ElementTree as ET

import pytest
from rich.console import Console

from stoker_demo import cast, telling
from stoker_demo.judging import Limits, Verdict, figures, limits, promise, verdict
from stoker_demo.performance import perform
from stoker_demo.record import End, Run
from stoker_demo.report import page
from stoker_demo.screen import Screen
from stoker_demo.story import CALM, COLD_START, Act, Deed, Step, Story

pytestmark = pytest.mark.slow

UNLOADED, HUNG = "unloaded", "hung"
STORY = Story(
    (
        Act(UNLOADED, 1, (Step(2.5, (Deed.UNLOAD,), "a client unloads it"),)),
        Act(
            HUNG,
            2,
            (
                Step(6.0, (Deed.STOP,), "it is stopped"),
                Step(12.5, (Deed.RESTART,), "it is restarted"),
            ),
        ),
    ),
    ends=14.5,
)


@pytest.fixture(scope="module")
def said() -> StringIO:
    return StringIO()


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory, said: StringIO) -> Iterator[Run]:
    with pytest.MonkeyPatch.context() as patch:
        programs = tmp_path_factory.mktemp("bin")
        (programs / "ollama").symlink_to("/bin/false")  # which is not to be run
        patch.setenv("PATH", f"{programs}:/usr/bin:/bin")
        folder = tmp_path_factory.mktemp("demo")
        players = replace(cast.simulated(), story=STORY)
        yield asyncio.run(perform(players, folder, Screen(Console(file=said))))


@pytest.fixture(scope="module")
def than(run: Run) -> Limits:
    return limits(run)


def test_both_sides_saw_the_same_acts_at_the_same_moments(run: Run) -> None:
    assert [scene.name for scene in run.scenes] == [COLD_START, CALM, UNLOADED, HUNG]
    assert [len(scene.marks) for scene in run.scenes] == [0, 0, 1, 2]
    assert all(before.end == after.begin for before, after in pairwise(run.scenes))


def test_clients_ask_steadily_once_the_address_takes_connections(run: Run) -> None:
    for side in run.sides:
        began = [request.began for request in side.requests]
        assert side.opened <= began[0] < side.opened + 1
        assert len(began) > 100
        assert (began[-1] - began[0]) / (len(began) - 1) >= 0.099


def test_as_today_clients_pay_for_what_nobody_sees(run: Run, than: Limits) -> None:
    paid = {
        scene.name: figures(run.today.within(scene.begin, scene.end), than) for scene in run.scenes
    }
    assert paid[COLD_START].cold > 0
    assert paid[UNLOADED].cold > 0
    assert paid[HUNG].hangs > 0
    assert run.today.changes == ()


def test_with_stoker_nobody_pays_but_who_is_caught_by_a_loss(run: Run, than: Limits) -> None:
    found = promise(run.stoker, than)
    assert found.is_kept, list(telling.kept(run, than))
    assert run.stoker.opened > run.today.opened


def test_with_stoker_the_gate_of_that_replica_shuts_and_opens_again(run: Run) -> None:
    for number, scene in ((1, run.scenes[2]), (2, run.scenes[3])):
        changes = [each for each in run.stoker.changes if scene.begin <= each.at < scene.end]
        assert {each.replica for each in changes} == {number}
        assert not changes[0].hot or changes[0].state == "Suspect"
        assert changes[-1].hot


def test_the_moment_of_each_loss_is_known_to_both(run: Run) -> None:
    for side in run.sides:
        assert len(side.losses) == 2
        first = side.losses[0]
        assert run.scenes[2].begin <= first.began <= first.ended < run.scenes[2].end


def test_what_failed_says_why(run: Run, than: Limits) -> None:
    for side in run.sides:
        for request in side.requests:
            assert bool(request.error) == (request.end is End.FAILED)
            if request.first_token is None:
                assert verdict(request, than) in (Verdict.ERROR, Verdict.HANG)


def test_piped_it_tells_plain_lines(run: Run, said: StringIO) -> None:
    lines = said.getvalue()
    assert "\x1b" not in lines
    for scene in run.scenes:
        for mark in scene.marks:
            assert mark.told in lines
    assert "With Stoker, replica 2: gate shut, Stuck/RunnerStopped" in lines


def test_the_page_shows_all_of_it(run: Run, than: Limits) -> None:
    root = ET.fromstring(page(run, 2, than).removeprefix("<!DOCTYPE html>"))
    dots = [each for each in root.iter() if each.tag in ("circle", "path") and list(each)]
    assert len(dots) == sum(len(side.requests) for side in run.sides)
