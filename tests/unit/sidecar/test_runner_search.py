"""Which of a machine's processes are taken for Ollama's, and when they are searched for."""

import shutil
from pathlib import Path

import pytest

from stoker_sidecar.heat.observation import Life, Processes
from stoker_sidecar.runner import OTHERS_SECONDS, SEARCH_SECONDS, OllamaProcesses

WEIGHTS = "sha256-aaaa"
OTHER = "sha256-bbbb"


class Machine:
    """A machine's processes, as files in a folder like /proc."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.now = 0.0
        (folder / "self").mkdir()
        self.start(1, "/sbin/init")

    def start(self, pid: int, line: str, *, parent: int = 1, started: int = 7) -> None:
        process = self.folder / str(pid)
        process.mkdir(exist_ok=True)
        (process / "cmdline").write_bytes(line.replace(" ", "\0").encode() + b"\0")
        rest = f"S {parent} 0 0 0 0 0 0 0 0 0 50 25 0 0 0 0 0 0 {started} 0"
        (process / "stat").write_text(f"{pid} (x) {rest}\n")

    def serve(self, pid: int, *, started: int = 7) -> None:
        self.start(pid, "/usr/bin/ollama serve", started=started)

    def load(self, pid: int, weights: str, *, server: int = 10, started: int = 7) -> None:
        line = f"/usr/bin/ollama runner --model /models/blobs/{weights} --port {40000 + pid}"
        self.start(pid, line, parent=server, started=started)

    def end(self, pid: int) -> None:
        shutil.rmtree(self.folder / str(pid))

    def view(self, server_pid: int | None = None) -> OllamaProcesses:
        return OllamaProcesses(server_pid=server_pid, proc=self.folder, clock=lambda: self.now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def pids(seen: Processes | None) -> tuple[int | None, int | None, set[int]]:
    """Server, runner and other runners."""
    assert seen is not None
    server, runner = (each.pid if each else None for each in (seen.server, seen.runner))
    return server, runner, {each.pid for each in seen.others}


def test_the_runner_of_the_model_is_known_by_its_weights(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, OTHER)
    machine.load(12, WEIGHTS)
    view = machine.view()
    assert pids(view.look(WEIGHTS)) == (10, 12, {11})
    assert view.runner_port == 40012
    assert view.out_of_sight is None


def test_a_process_is_told_with_start_state_and_processor_time(machine: Machine) -> None:
    machine.serve(10, started=99)
    seen = machine.view().look(WEIGHTS)
    assert seen is not None
    assert seen.server is not None
    assert seen.server.identity == (10, 99)
    assert seen.server.life is Life.ALIVE
    assert seen.server.cpu_seconds == pytest.approx(0.75)


def test_while_the_weights_are_unknown_the_only_runner_is_the_models(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, OTHER)
    view = machine.view()
    assert pids(view.look(None)) == (10, 11, set())
    machine.load(12, WEIGHTS)
    assert pids(view.look(None, search=True)) == (10, None, {11, 12})
    assert view.runner_port is None


def test_a_runner_of_other_weights_is_not_the_models(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, OTHER)
    assert pids(machine.view().look(WEIGHTS)) == (10, None, {11})


def test_of_two_runners_with_the_same_weights_the_newer_counts(machine: Machine) -> None:
    machine.serve(10)
    machine.load(12, WEIGHTS, started=8)
    machine.load(11, WEIGHTS, started=9)
    assert pids(machine.view().look(WEIGHTS)) == (10, 11, {12})


def test_only_a_child_of_the_server_is_a_runner(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, WEIGHTS, server=1)
    assert pids(machine.view().look(WEIGHTS)) == (10, None, set())


def test_a_new_runner_is_seen_at_the_next_look(machine: Machine) -> None:
    machine.serve(10)
    view = machine.view()
    assert pids(view.look(WEIGHTS)) == (10, None, set())
    machine.load(11, WEIGHTS)
    assert pids(view.look(WEIGHTS)) == (10, 11, set())
    machine.end(11)
    machine.load(12, WEIGHTS)
    assert pids(view.look(WEIGHTS)) == (10, 12, set())


def test_runners_of_other_models_are_searched_for_now_and_then(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, WEIGHTS)
    view = machine.view()
    view.look(WEIGHTS)
    machine.load(12, OTHER)
    assert pids(view.look(WEIGHTS)) == (10, 11, set())
    machine.now += OTHERS_SECONDS
    assert pids(view.look(WEIGHTS)) == (10, 11, {12})


@pytest.mark.p(34)
def test_a_server_that_has_ended_leaves_an_empty_view(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, WEIGHTS)
    view = machine.view()
    view.look(WEIGHTS)
    machine.end(10)
    # Its runner outlives it (P26), but holds the model for nobody.
    for _ in range(3):
        assert view.look(WEIGHTS) == Processes(None, None, ())
        assert view.runner_port is None
        machine.now += SEARCH_SECONDS


def test_a_server_that_starts_again_is_found_when_asked_for(machine: Machine) -> None:
    machine.serve(10)
    view = machine.view()
    view.look(WEIGHTS)
    machine.end(10)
    machine.serve(20)
    assert pids(view.look(WEIGHTS)) == (None, None, set())
    assert pids(view.look(WEIGHTS, search=True)) == (20, None, set())


def test_a_number_that_is_used_again_is_another_process(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, WEIGHTS, started=8)
    view = machine.view()
    view.look(WEIGHTS)
    machine.start(11, "sleep 1", parent=10, started=9)
    assert pids(view.look(WEIGHTS)) == (10, None, set())


def test_without_a_server_in_sight_nothing_is_known(machine: Machine) -> None:
    view = machine.view()
    assert view.look(WEIGHTS) is None
    assert view.out_of_sight is not None
    assert "shareProcessNamespace" in view.out_of_sight


def test_without_proc_nothing_is_known(tmp_path: Path) -> None:
    view = OllamaProcesses(proc=tmp_path / "none")
    assert view.look(WEIGHTS) is None
    assert view.out_of_sight


def test_a_file_that_cannot_be_read_says_nothing_about_its_process(machine: Machine) -> None:
    machine.serve(10)
    machine.load(11, WEIGHTS)
    view = machine.view()
    view.look(WEIGHTS)
    stat = machine.folder / "11/stat"
    content = stat.read_text()
    stat.unlink()
    stat.mkdir()
    assert view.look(WEIGHTS) is None
    assert view.out_of_sight == "the processes cannot be read: Is a directory"
    stat.rmdir()
    stat.write_text(content)
    assert pids(view.look(WEIGHTS)) == (10, 11, set())
    assert view.out_of_sight is None


def test_a_server_that_is_not_there_yet_is_found_later(machine: Machine) -> None:
    view = machine.view()
    assert view.look(WEIGHTS) is None
    machine.serve(10)
    machine.now += SEARCH_SECONDS
    assert pids(view.look(WEIGHTS)) == (10, None, set())
    assert view.out_of_sight is None


def test_of_several_servers_the_one_that_has_loaded_the_model_counts(machine: Machine) -> None:
    machine.serve(10)
    machine.serve(20)
    machine.load(11, OTHER, server=10)
    machine.load(21, WEIGHTS, server=20)
    assert pids(machine.view().look(WEIGHTS)) == (20, 21, set())


def test_of_several_servers_none_counts_until_one_has_loaded_the_model(machine: Machine) -> None:
    machine.serve(10)
    machine.serve(20)
    view = machine.view()
    assert view.look(WEIGHTS) is None
    assert view.out_of_sight is not None
    assert "several" in view.out_of_sight
    machine.load(11, WEIGHTS, server=10)
    machine.load(21, WEIGHTS, server=20)
    assert view.look(WEIGHTS, search=True) is None
    machine.end(21)
    assert pids(view.look(WEIGHTS, search=True)) == (10, 11, set())


def test_a_server_that_is_told_by_its_number_counts(machine: Machine) -> None:
    machine.serve(10)
    machine.start(20, "/opt/my-ollama serve")
    assert pids(machine.view(server_pid=20).look(WEIGHTS)) == (20, None, set())


def test_a_number_that_was_told_counts_once(machine: Machine) -> None:
    machine.serve(10)
    view = machine.view(server_pid=10)
    view.look(WEIGHTS)
    machine.start(10, "sleep 1", started=8)
    machine.serve(20)
    assert pids(view.look(WEIGHTS, search=True)) == (20, None, set())


def test_a_process_that_was_told_and_is_not_there_is_said_and_searched_for(
    machine: Machine, caplog: pytest.LogCaptureFixture
) -> None:
    machine.serve(10)
    view = machine.view(server_pid=99)
    assert pids(view.look(WEIGHTS)) == (10, None, set())
    assert "there is no process 99" in (view.told_wrong or "")
    assert caplog.messages == ["wrong process told"]
