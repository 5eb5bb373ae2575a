"""Ollama's processes as the sidecar sees them: the real Ollama's and the simulator's."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bed import models
from contract.ollama.api import Launch, Ollama
from contract.sidecar import looker
from stoker_sidecar.heat.observation import Life, Process, Processes
from stoker_sidecar.runner import ExitWatch, OllamaProcesses
from support.waiting import wait_for

WEIGHTS = models.tiny().weights.digest.replace(":", "-")
ANOTHER_CONTEXT = {"num_ctx": 512}
STRANGER = 10002


def view_of(server: Ollama) -> OllamaProcesses:
    # The machine may have other servers; a pod has not.
    return OllamaProcesses(server_pid=server.processes.pid)


def seen_by(view: OllamaProcesses) -> Processes:
    seen = view.look(WEIGHTS)
    assert seen is not None, view.out_of_sight
    return seen


def runner_seen_by(view: OllamaProcesses) -> Process:
    runner = seen_by(view).runner
    assert runner is not None
    return runner


def first_end(seen: Processes, cause: Callable[[], object]) -> Process:
    """The process that a watch tells of first, when this has been done."""

    async def watch() -> Process:
        ended: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
        exits = ExitWatch(ended.set_result)
        exits.follow(seen)
        assert exits.unavailable is None
        await asyncio.to_thread(cause)
        process = await asyncio.wait_for(ended, 60)
        exits.close()
        return process

    return asyncio.run(watch())


def test_the_server_is_seen_before_it_has_a_runner(server: Ollama) -> None:
    seen = seen_by(view_of(server))
    assert seen.server is not None
    assert seen.server.pid == server.processes.pid
    assert (seen.runner, seen.others) == (None, ())


def test_runners_are_told_apart_by_their_weights(server: Ollama) -> None:
    server.load("tiny")
    own = server.runner()
    server.load("other")
    view = view_of(server)
    seen = seen_by(view)
    assert runner_seen_by(view).pid == own
    assert {own, *(each.pid for each in seen.others)} == server.processes.runners()
    assert len(seen.others) == 1


@pytest.mark.p(31)
def test_a_runner_that_crashes_is_told_of_at_once(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)
    runner = runner_seen_by(view)
    ended = first_end(seen_by(view), lambda: server.processes.signal(runner.pid, signal.SIGKILL))
    assert ended == runner
    assert seen_by(view).runner is None
    # Nothing that is polled tells of it.
    assert "tiny" in server.ps()


LEAVES: dict[str, Callable[[Ollama], object]] = {
    "unloaded": lambda server: server.unload("tiny"),
    "evicted": lambda server: server.load("other"),
    "reloaded": lambda server: server.load("tiny", options=ANOTHER_CONTEXT),
}


@pytest.mark.parametrize("leave", LEAVES.values(), ids=LEAVES.keys())
@pytest.mark.p(5)
@pytest.mark.p(10)
def test_a_model_that_leaves_is_told_of_by_its_runner(
    launch: Launch, leave: Callable[[Ollama], object]
) -> None:
    server = launch(OLLAMA_MAX_LOADED_MODELS="1")
    server.load("tiny")
    view = view_of(server)
    runner = runner_seen_by(view)
    assert first_end(seen_by(view), lambda: leave(server)) == runner


def test_the_runner_after_a_reload_is_seen_at_the_next_look(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)
    before = runner_seen_by(view)
    server.load("tiny", options=ANOTHER_CONTEXT)
    after = runner_seen_by(view)
    assert after.pid == server.runner()
    assert after.identity != before.identity


@pytest.mark.p(32)
def test_a_stopped_runner_is_seen_without_a_request(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)
    runner = runner_seen_by(view)
    server.processes.signal(runner.pid, signal.SIGSTOP)
    wait_for("the stop", lambda: runner_seen_by(view).life is Life.STOPPED)
    server.processes.signal(runner.pid, signal.SIGCONT)
    wait_for("its end", lambda: runner_seen_by(view).life is not Life.STOPPED)


@pytest.mark.p(13)
def test_a_stopped_server_is_seen(server: Ollama) -> None:
    view = view_of(server)
    server.processes.signal(server.processes.pid, signal.SIGSTOP)

    def is_stopped() -> bool:
        seen = seen_by(view).server
        return seen is not None and seen.life is Life.STOPPED

    wait_for("the stop", is_stopped)
    server.processes.signal(server.processes.pid, signal.SIGCONT)


@pytest.mark.parametrize("launch", ["real"], indirect=True)  # the simulator computes nothing
def test_processor_time_grows_while_the_runner_computes(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)
    before = runner_seen_by(view).cpu_seconds
    with server.talking("tiny"):
        wait_for("processor time", lambda: runner_seen_by(view).cpu_seconds > before + 0.1)


@pytest.mark.p(26)
@pytest.mark.p(34)
def test_a_server_that_is_killed_is_told_of_and_its_orphan_is_nobodys(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)
    seen = seen_by(view)
    ended = first_end(seen, lambda: server.processes.signal(server.processes.pid, signal.SIGKILL))
    assert ended == seen.server
    assert seen_by(view) == Processes(None, None, ())


def test_a_process_that_has_ended_before_it_is_followed_is_told_of(server: Ollama) -> None:
    server.load("tiny")
    seen = seen_by(view_of(server))
    assert seen.runner is not None
    server.unload("tiny")
    wait_for("the runner's end", lambda: not server.processes.runners())
    assert first_end(seen, lambda: None) == seen.runner


def test_a_number_that_has_passed_to_another_process_is_not_followed() -> None:
    mine = Process(os.getpid(), started=1, life=Life.ALIVE, cpu_seconds=0)
    assert first_end(Processes(None, mine, ()), lambda: None) == mine


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir()))


def test_a_watch_leaves_no_file_open(server: Ollama) -> None:
    server.load("tiny")
    view = view_of(server)

    async def follow() -> None:
        watch = ExitWatch(print)
        before = open_files()
        watch.follow(seen_by(view))
        for context in (512, 1024):
            server.load("tiny", options={"num_ctx": context})
            watch.follow(seen_by(view))
        assert open_files() == before + 2
        watch.close()
        assert open_files() == before

    asyncio.run(follow())


def test_where_there_are_no_pidfds_it_is_said_so(
    server: Ollama, monkeypatch: pytest.MonkeyPatch
) -> None:
    server.load("tiny")
    view = view_of(server)
    monkeypatch.delattr(os, "pidfd_open")

    async def follow() -> str | None:
        watch = ExitWatch(print)
        watch.follow(seen_by(view))
        return watch.unavailable

    assert "pidfd" in (asyncio.run(follow()) or "")
    server.processes.signal(server.runner(), signal.SIGKILL)
    wait_for("the runner's end", lambda: seen_by(view).runner is None)


@contextmanager
def unprivileged_looker(server: Ollama) -> Iterator[Iterator[Any]]:
    """What another user sees who may do nothing at all, line by line."""
    drop = ["setpriv", f"--reuid={STRANGER}", f"--regid={STRANGER}", "--clear-groups"]
    drop += ["--bounding-set=-all", "--inh-caps=-all", "--no-new-privs"]
    about = [str(server.processes.pid), str(server.http.base_url.port)]
    with subprocess.Popen(
        [*drop, sys.executable, looker.__file__, *about], stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout is not None
        try:
            yield map(json.loads, process.stdout)
            assert process.wait(10) == 0
        finally:
            process.kill()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become another user")
def test_another_user_without_any_privilege_sees_all_of_this(server: Ollama) -> None:
    server.load("tiny")
    runner = server.runner()
    with unprivileged_looker(server) as lines:
        seen = next(lines)
        assert (seen["user"], seen["mayReadEnvironment"]) == (STRANGER, False)
        assert seen["processes"]["server"]["pid"] == server.processes.pid
        assert seen["processes"]["runner"]["pid"] == runner
        assert (seen["traffic"]["open"], seen["traffic"]["runnerRequests"]) == (1, 0)
        assert seen["unavailable"] is None
        server.processes.signal(runner, signal.SIGKILL)
        assert next(lines) == {"ended": runner}
