"""Files that grow, files that change, and what people are shown of them."""

import io
import logging
from pathlib import Path

import pytest

from stoker_operator.errors import StokerError
from stoker_operator.local import state, tailing, view
from stoker_operator.local.files import fingerprint
from stoker_operator.local.logfile import LogFile, Record
from stoker_operator.local.machine import machine


def test_a_log_that_has_grown_too_large_begins_anew_and_the_last_part_is_kept(
    tmp_path: Path,
) -> None:
    path = tmp_path / "ollama-1.log"
    log = LogFile(path, most_bytes=10)
    for word in (b"first\n", b"other\n", b"third\n"):
        log.write(word)
    log.close()
    assert path.read_bytes() == b"third\n"
    assert path.with_name("ollama-1.log.1").read_bytes() == b"other\n"
    assert list(tailing.lines(tmp_path, tailing.Selection())) == [
        "ollama-1 | other",
        "ollama-1 | third",
    ]


def test_a_record_holds_what_is_said_of_its_llmdeployment_alone(tmp_path: Path) -> None:
    record = Record(tmp_path / "stoker.log", "phi3")
    log = logging.getLogger("test")
    log.addHandler(record)
    log.warning("process ended", extra={"llm": "phi3", "sentence": "why"})
    log.warning("process ended", extra={"llm": "other"})
    log.removeHandler(record)
    record.close()
    assert (tmp_path / "stoker.log").read_text().endswith("process ended llm=phi3: why\n")
    assert len((tmp_path / "stoker.log").read_text().splitlines()) == 1


@pytest.mark.parametrize(
    ("wanted", "names"),
    [
        (tailing.Selection(), {"forwarder", "ollama-1", "ollama-12", "sidecar-1", "stoker"}),
        (tailing.Selection(process="ollama"), {"ollama-1", "ollama-12"}),
        (tailing.Selection(replica=1), {"ollama-1", "sidecar-1"}),
        (tailing.Selection("ollama", 12), {"ollama-12"}),
        (tailing.Selection("stoker"), {"stoker"}),
        (tailing.Selection(tail=0), set()),
    ],
)
def test_logs_are_chosen_by_process_and_replica(
    wanted: tailing.Selection, names: set[str], tmp_path: Path
) -> None:
    for name in ("forwarder", "ollama-1", "ollama-12", "sidecar-1", "stoker"):
        (tmp_path / f"{name}.log").write_text("line\n")
    assert {line.partition(" ")[0] for line in tailing.lines(tmp_path, wanted)} == names


def test_what_comes_is_followed_into_the_next_file_and_into_new_ones(tmp_path: Path) -> None:
    path = tmp_path / "ollama-1.log"
    log = LogFile(path, most_bytes=12)
    log.write(b"before\n")
    lines = tailing.lines(tmp_path, tailing.Selection(), follow=True)
    assert next(lines) == "ollama-1 | before"
    log.write(b"one\n")
    assert next(lines) == "ollama-1 | one"
    log.write(b"two\n")
    (tmp_path / "sidecar-1.log").write_text("new\n")
    assert {next(lines), next(lines)} == {"ollama-1 | two", "sidecar-1 | new"}
    lines.close()  # type: ignore[attr-defined]
    log.close()


def test_a_file_that_says_something_else_is_another(tmp_path: Path) -> None:
    file = tmp_path / "a.yaml"
    names = [str(tmp_path), "-"]
    seen = [fingerprint(names)]
    for text in ("a", "b"):
        file.write_text(text)
        seen.append(fingerprint(names))
    file.write_text("b")
    assert fingerprint(names) == seen[-1]
    file.unlink()
    assert fingerprint(names) == seen[0]
    assert len(set(seen)) == 3
    assert fingerprint([str(file)]) == fingerprint([str(file)])


def replica(number: int, *, hot: bool) -> state.ReplicaStatus:
    processes = (state.ProcessStatus("ollama", 7, 0),)
    return state.ReplicaStatus(
        number, "abc", hot, number == 0, "Hot" if hot else None, "why", 1, 2, processes, ()
    )


STATUS = state.Status(
    name="phi3",
    namespace="default",
    model="phi3:mini",
    address="http://127.0.0.1:11434",
    ollama="/usr/bin/ollama",
    wanted=2,
    hot=1,
    grace_seconds=75.0,
    forwarder=state.ProcessStatus("forwarder", 8, 0),
    warnings=(),
    replicas=(replica(1, hot=True), replica(2, hot=False)),
)


def test_the_table_has_a_line_for_each_replica() -> None:
    assert view.table([STATUS]) == [
        "NAME  MODEL      HOT  ADDRESS                 REPLICA  STATE     WHY",
        "phi3  phi3:mini  1/2  http://127.0.0.1:11434  1        Hot       why",
        "                                              2        Starting  why",
    ]


def test_at_a_terminal_lines_go_above_the_table_which_is_drawn_anew_where_it_changes() -> None:
    out = io.StringIO()
    shown = [STATUS]
    live = view.LiveView(lambda: shown, out)
    live.draw()
    first = out.getvalue()
    live.draw()
    assert out.getvalue() == first  # nothing new
    shown.clear()
    live.draw()
    assert out.getvalue() == f"{first}\x1b[4F\x1b[J\n{view.table([])[0]}\n"
    live.emit(logging.makeLogRecord({"msg": "process ended", "levelname": "WARNING"}))
    lines = out.getvalue().splitlines()
    assert lines[-3].endswith("warning process ended")
    assert lines[-1] == view.table([])[0]


def test_a_folder_is_held_by_one_and_says_who_that_is(tmp_path: Path) -> None:
    folder, other = state.Folder(tmp_path / "default.phi3"), state.Folder(tmp_path / "default.phi3")
    assert not other.is_held()
    folder.make()
    folder.take()
    folder.name_owner(state.Owner(7, 1.0, "http://127.0.0.1:11434", ("llm.yaml",)))
    assert other.is_held()
    with pytest.raises(state.RunsAlreadyError, match=r"process 7 .* at http://127\.0\.0\.1:11434"):
        other.take()
    folder.write_status(STATUS)
    assert other.status() == STATUS
    folder.release()
    assert other.owner() is None
    other.take()
    other.release()
    assert [each.key for each in state.folders(tmp_path)] == ["default.phi3"]


def test_what_cannot_be_written_is_named(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StokerError, match=r"file/x cannot be written: Not a directory"):
        state.Folder(tmp_path / "file" / "x").make()


def test_a_log_that_cannot_be_written_is_no_reason_to_end() -> None:
    log = LogFile(Path("/dev/full"))
    log.write(b"lost\n")
    log.close()


def test_logs_of_replicas_long_gone_are_removed(tmp_path: Path) -> None:
    folder = state.Folder(tmp_path)
    folder.make()
    for name in ("ollama-1.log", "ollama-1.log.1", "sidecar-2.log", "ollama-10.log", "stoker.log"):
        (folder.logs / name).touch()
    folder.forget_logs(before=3)
    assert sorted(each.name for each in folder.logs.iterdir()) == ["ollama-10.log", "stoker.log"]


@pytest.mark.parametrize("asked", ["https://localhost", "ftp://x", "http://", "http://h:99999"])
def test_an_ollama_that_runs_is_named_by_a_plain_url(asked: str, tmp_path: Path) -> None:
    with pytest.raises(StokerError, match=r"must be like http://127\.0\.0\.1:11434"):
        machine(asked, tmp_path)


def test_a_program_that_is_not_there_or_not_ollama_is_refused(tmp_path: Path) -> None:
    with pytest.raises(StokerError, match="there is no such program"):
        machine(str(tmp_path / "ollama"), tmp_path)
    with pytest.raises(StokerError, match="has to be called `ollama`"):
        machine("/bin/sh", tmp_path)
