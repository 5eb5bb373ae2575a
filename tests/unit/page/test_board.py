"""What is remembered and handed out, and to how many."""

import pytest

from stoker_operator.page.audience import Audience, TooManyError
from stoker_operator.page.views import Json
from support.fleets import Fleet
from support.loops import run
from support.pods_seen import pod

KEY = ("llms", "phi3")


def whole(fleet: Fleet) -> Json:
    found = run(fleet.board.whole(KEY))
    assert found
    return found


def test_pods_are_told_of_worst_first_with_their_hour_and_those_that_have_gone() -> None:
    fleet = Fleet()
    fleet.look(KEY, {"replicas": 2}, pod("a").hot(), pod("b").hot())
    fleet.seconds = 60
    fleet.look(KEY, {"replicas": 2}, pod("a").hot(), pod("c").shut("Crashed", "it crashed", at=150))

    told = whole(fleet)
    assert [(each["name"], each["heat"]) for each in told["pods"]] == [
        ("c", "Cold"),
        ("a", "Hot"),
        ("b", "Gone"),
    ]
    assert told["pods"][0]["why"] == "it crashed"
    assert [word for _, word, _ in told["pods"][2]["changes"]] == ["Hot", "Gone"]
    assert told["endpoint"] == "http://phi3.llms.svc:11434"


def test_of_one_that_has_been_deleted_nothing_is_left() -> None:
    fleet = Fleet()
    fleet.look(KEY, {}, pod().hot())
    fleet.leave(KEY)

    assert fleet.board.line(KEY) is None
    assert run(fleet.board.whole(KEY)) is None
    fleet.look(KEY, {})
    assert [word for _, word, _ in whole(fleet)["changes"]] == ["Pending"]


def test_pods_that_outlive_their_llmdeployment_leave_nothing_behind() -> None:
    fleet = Fleet()
    fleet.look(KEY, {}, pod("a").hot(), pod("b").hot())
    fleet.leave(KEY, pods_first=False)

    assert fleet.board.remembered == 0


def test_who_follows_hears_of_each_change_once_and_who_has_left_of_none() -> None:
    async def story() -> None:
        fleet = Fleet()
        with fleet.board.audience.joined() as follower:
            fleet.look(KEY, {}, pod())
            fleet.look(KEY, {}, pod().hot())
            assert await follower.news(1) == {KEY}
            assert await follower.news(0) == set()
            fleet.leave(KEY)
            assert await follower.news(1) == {KEY}
        fleet.look(KEY, {}, pod())
        assert await follower.news(0) == set()

    run(story())


def test_only_so_many_can_follow() -> None:
    async def story() -> None:
        audience = Audience(most=1)
        full = pytest.raises(TooManyError, match="1 follow already")
        with audience.joined(), full, audience.joined():
            pass
        with audience.joined():
            pass

    run(story())
