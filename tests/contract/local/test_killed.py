"""Each process in turn is killed, and it all comes back, or is gone without a trace."""

import signal
from collections.abc import Callable

import pytest

from contract.local.clients import traffic
from contract.local.machine import HEAVY, Machine, deployment, refused, signalled

KILL = signal.SIGKILL


def begun(up: Machine, replicas: int = 1) -> None:
    up.write(deployment(replicas=replicas, server=HEAVY))
    up.up()
    up.until_hot(replicas)


def events(up: Machine, replica: int = 0) -> list[str]:
    """The reasons of its heat, the oldest first."""
    return [each["reason"] for each in up.status()["replicas"][replica]["history"]]


def server(up: Machine) -> int:
    (pid,) = up.named("ollama", "serve")
    return pid


def runner(up: Machine) -> int:
    (pid,) = up.named("ollama", "runner")
    return pid


def test_the_forwarder_comes_back_and_nobody_else_is_touched(up: Machine) -> None:
    begun(up)
    others = set(up.pids())
    first = up.status()["forwarder"]["pid"]
    signalled(first, KILL)
    up.until("another forwarder", lambda: up.status()["forwarder"]["pid"] not in (first, None))
    up.until("an answer", lambda: not refused(up.status()["address"]))
    assert up.ask().status_code == 200
    assert up.status()["forwarder"]["restarts"] == 1
    assert len(others & set(up.pids())) == len(others) - 2  # the forwarder and its watcher


def test_the_sidecar_comes_back_and_ollama_is_not_touched(up: Machine) -> None:
    begun(up)
    served, held = server(up), runner(up)
    signalled(up.pid("sidecar"), KILL)
    up.until("no heat without a sidecar", lambda: up.status()["hot"] == 0)
    up.until("refusal", lambda: refused(up.status()["address"]))
    up.until_hot()
    assert (server(up), runner(up)) == (served, held)
    assert up.ask().status_code == 200


@pytest.mark.parametrize("whose", [server, runner])
def test_ollama_and_its_runner_come_back(up: Machine, whose: Callable[[Machine], int]) -> None:
    begun(up)
    signalled(whose(up), KILL)
    up.until("the loss", lambda: up.status()["hot"] == 0)
    up.until_hot()
    assert up.ask().status_code == 200
    assert len(up.named("ollama", "runner")) == 1


def test_the_shell_that_started_ollama_takes_all_of_it_along_and_comes_back(up: Machine) -> None:
    begun(up)
    gone = [server(up), runner(up)]
    signalled(up.pid("ollama"), KILL)
    up.until("their end", lambda: not set(gone) & set(up.pids()))
    up.until("the loss", lambda: up.status()["hot"] == 0)
    up.until_hot()
    assert up.ask().status_code == 200


def test_a_server_that_is_stopped_is_replaced(up: Machine) -> None:
    begun(up)
    stopped = server(up)
    signalled(stopped, signal.SIGSTOP)
    up.until("its end", lambda: stopped not in up.pids())
    up.until("the loss", lambda: up.status()["hot"] == 0)
    up.until_hot()
    assert up.ask().status_code == 200


@pytest.mark.slow  # three looks of ten seconds
def test_a_sidecar_that_hangs_takes_no_traffic_and_is_started_again(up: Machine) -> None:
    begun(up)
    hanging = up.pid("sidecar")
    signalled(hanging, signal.SIGSTOP)
    up.until("withdrawal", lambda: up.status()["hot"] == 0, seconds=8)
    up.until("refusal", lambda: refused(up.status()["address"]))
    up.until("another sidecar", lambda: up.has_another("sidecar", hanging), seconds=60)
    up.until_hot()
    assert up.ask().status_code == 200


def test_one_of_two_replicas_dies_and_requests_go_to_the_other(up: Machine) -> None:
    begun(up, 2)
    with traffic(up.status()["address"]) as seen:
        up.until("traffic", lambda: seen.count > 5)
        before = len(seen.errors)
        signalled(up.pid("ollama"), KILL)
        up.until("the loss", lambda: up.status()["hot"] == 1)
        lost = len(seen.errors) - before
        up.until_hot(2)
    # What was under way on the one that died is lost; nothing after it, and nothing is cold.
    assert lost <= 2, seen.errors
    assert len(seen.errors) == lost
    assert seen.cold == []


@pytest.mark.parametrize("replicas", [1, 3])
def test_stoker_itself_is_killed_and_nothing_stays(up: Machine, replicas: int) -> None:
    begun(up, replicas)
    address = up.status()["address"]
    assert len(up.pids()) >= 8 * replicas
    up.process.kill()
    up.until("the end of all", lambda: not up.pids(), seconds=5)
    assert refused(address)
    up.up()  # and nothing of it is in the way
    up.until_hot(replicas)
    assert up.status()["address"] == address


def test_all_that_is_called_stoker_is_killed_at_once_and_nothing_stays(up: Machine) -> None:
    begun(up, 2)
    ours = [pid for pid in up.pids() if pid not in up.named("sh")]
    for pid in ours:
        signalled(pid, signal.SIGSTOP)
    for pid in ours:
        signalled(pid, KILL)
    up.until("the end of all", lambda: not up.pids(), seconds=5)


def test_an_impatient_person_ends_it_with_answers_under_way(up: Machine) -> None:
    begun(up)
    with traffic(up.status()["address"]) as seen:
        up.until("traffic", lambda: seen.count > 5)
        assert up.stoker("down", "--now").returncode == 0
    assert up.process.wait(5) == 0
    assert up.pids() == []


def test_one_that_a_script_has_in_the_background_heeds_who_ends_it(up: Machine) -> None:
    """The shell has such a process ignore what a person types."""
    ignored = (signal.SIGINT, signal.SIGQUIT)
    before = [signal.signal(number, signal.SIG_IGN) for number in ignored]
    try:
        begun(up)
    finally:
        for number, handler in zip(ignored, before, strict=True):
            signal.signal(number, handler)
    assert up.stoker("down", "--now").returncode == 0
    assert up.process.wait(5) == 0
    assert up.pids() == []


def test_what_crashes_again_is_started_later_and_status_says_so(up: Machine) -> None:
    begun(up)
    for when in ("now", "in 10 s"):
        signalled(server(up), KILL)
        up.until("a word", lambda when=when: f"is started again {when}" in up.said())
        if when != "now":
            words = "ollama ended with status 137, and is started again in 10 s"
            assert words in up.stoker("status").stdout
        up.until("the end of waiting", lambda: up.named("ollama", "serve"))
    up.until_hot()
