"""The ollama container's entry script, in a real shell around a stand-in for `ollama`.

The stand-in is a process with a child, as Ollama and its runner are; it can be stopped, and ends on
SIGTERM with a status of its own.
"""

import os
import signal
import stat
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from stoker_api.wire import HANDS_FIFO
from stoker_operator.desired.entry import SCRIPT
from support.waiting import wait_for

OLLAMA = """\
#!/bin/sh
trap 'kill -KILL "$runner"; exit 7' TERM
sleep 600 &
runner=$!
echo "$$ $runner" >"$STOKER_HANDS/pids.new"
mv "$STOKER_HANDS/pids.new" "$STOKER_HANDS/pids"
[ "$1" = serve ] || exit 9
[ -z "${FAIL-}" ] || { kill -KILL "$runner"; exit "$FAIL"; }
while :; do wait; done
"""


class Container:
    """The script at work, as the container's first process."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.hands = folder / "hands"
        self.hands.mkdir(exist_ok=True)
        self.errors = folder / "stderr"
        ollama = folder / "bin/ollama"
        ollama.parent.mkdir(exist_ok=True)
        ollama.write_text(OLLAMA)
        ollama.chmod(0o755)
        with self.errors.open("w") as errors:
            self.process = subprocess.Popen(
                ["/bin/sh", "-uc", SCRIPT],
                env={
                    "PATH": f"{ollama.parent}:{os.environ['PATH']}",
                    "STOKER_HANDS": str(self.hands),
                    **environment,
                },
                start_new_session=True,
                stderr=errors,
            )

    @property
    def pids(self) -> list[int]:
        """The server and its runner, once both are there."""
        file = self.hands / "pids"
        wait_for("the server", file.exists)
        return [int(pid) for pid in file.read_text().split()]

    def write(self, word: str) -> None:
        """Writes into the FIFO, as the sidecar does."""
        fifo = self.hands / HANDS_FIFO
        wait_for("the FIFO", fifo.exists)
        with fifo.open("w") as hand:
            hand.write(word)

    def ended(self) -> int:
        """The exit status, once the container has ended."""
        return self.process.wait(timeout=10)


Start = Callable[..., Container]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    """Starts containers, one after the other in the same folder."""
    started: list[Container] = []

    def start(**environment: str) -> Container:
        started.append(Container(tmp_path, **environment))
        return started[-1]

    yield start
    for container in started:
        if container.process.poll() is None:
            os.killpg(container.process.pid, signal.SIGKILL)
            container.process.wait()


def is_gone(pid: int) -> bool:
    """Whether a process has ended, be it reaped or not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_a_restart_ends_server_and_runner_even_when_they_are_stopped(start: Start) -> None:
    container = start()
    pids = container.pids
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    container.write("restart\n")
    assert container.ended() == -signal.SIGKILL
    wait_for("the end of both", lambda: all(is_gone(pid) for pid in pids))


def test_one_process_can_be_ended_even_when_it_is_stopped_and_the_rest_stays(start: Start) -> None:
    container = start()
    server, runner = container.pids
    os.kill(runner, signal.SIGSTOP)
    container.write(f"end {runner}\n")
    wait_for("the runner's end", lambda: is_gone(runner))
    assert container.process.poll() is None
    assert not is_gone(server)


@pytest.mark.parametrize("number", ["", "0", "1", "-1", "01", "1x", "x", "1 2", "$$", "-9 1"])
def test_what_is_no_process_of_its_own_is_not_ended(start: Start, number: str) -> None:
    container = start()
    server, runner = container.pids
    container.write(f"end {number}\n")
    container.write(f"end {runner}\n")
    wait_for("the runner's end", lambda: is_gone(runner))
    assert container.process.poll() is None
    assert not is_gone(server)


def test_only_the_word_restart_restarts(start: Start) -> None:
    container = start()
    pids = container.pids
    container.write("")
    container.write("hello\n")
    container.write("restart now\n")
    assert container.process.poll() is None
    assert not any(is_gone(pid) for pid in pids)
    container.write("restart\n")
    assert container.ended() == -signal.SIGKILL


def test_the_kubelets_sigterm_reaches_the_server_and_its_status_comes_back(start: Start) -> None:
    container = start()
    pids = container.pids
    container.process.terminate()
    assert container.ended() == 7
    wait_for("the end of both", lambda: all(is_gone(pid) for pid in pids))
    assert container.errors.read_text() == ""


def test_a_server_that_fails_ends_the_container_with_its_status(start: Start) -> None:
    assert start(FAIL="3").ended() == 3


def test_the_fifo_is_for_the_shared_group_and_nobody_else(start: Start) -> None:
    container = start()
    assert container.pids
    mode = (container.hands / HANDS_FIFO).stat().st_mode
    assert stat.S_ISFIFO(mode)
    assert stat.S_IMODE(mode) == 0o660


def test_the_gpus_that_the_container_was_given_are_written_down(start: Start) -> None:
    container = start(FAIL="0", NVIDIA_VISIBLE_DEVICES="GPU-1,GPU-2")
    assert container.ended() == 0
    visible, *devices = (container.hands / "gpus").read_text().splitlines()
    assert visible == "GPU-1,GPU-2"
    assert devices == sorted(str(path) for path in Path("/dev").glob("nvidia[0-9]*"))


def test_a_second_start_takes_over_what_the_first_left(start: Start) -> None:
    first = start()
    assert first.pids
    first.write("restart\n")
    assert first.ended() == -signal.SIGKILL
    (first.hands / "pids").unlink()
    second = start()
    assert second.pids
    second.write("restart\n")
    assert second.ended() == -signal.SIGKILL
