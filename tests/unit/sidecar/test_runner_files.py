"""What is made of the files in /proc, which any process may fill with anything."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_sidecar.heat.observation import Life
from stoker_sidecar.procfs import Runner, is_server, parse_runner, parse_stat

# What a real kernel said of a runner of Ollama 0.17.4; only the 6 page reads are not its own.
STAT = (
    b"20784 (ollama) S 20769 20769 20769 0 -1 4194560 3129 0 6 0 2 1 0 0 20 0 6 0 1166896"
    b" 1740521472 10015 18446744073709551615 4243456 23009081 140733953950496 0 0 0 0 0 2143420159"
    b" 0 0 0 17 1 0 0 0 0 0 38529152 39654081 589824000 140733953957153 140733953957349 0 0\n"
)
WEIGHTS = "sha256-66d6183ddf60650c39644ae2f3db3a0f0c26fba9fad1869b8c3022ccfca37da9"
BLOB = f"/models/blobs/{WEIGHTS}"


def command(line: str) -> list[bytes]:
    return line.encode().split(b" ")


def test_a_line_of_stat_tells_parent_start_time_and_page_reads() -> None:
    stat = parse_stat(STAT)
    assert stat is not None
    assert (stat.life, stat.parent, stat.started) == (Life.ALIVE, 20769, 1166896)
    assert (stat.cpu_ticks, stat.page_reads) == (3, 6)


@pytest.mark.parametrize(
    ("letter", "life"),
    [
        (b"R", Life.ALIVE),
        (b"S", Life.ALIVE),
        (b"I", Life.ALIVE),
        (b"T", Life.STOPPED),
        (b"t", Life.STOPPED),
        (b"D", Life.WAITING),
    ],
)
@pytest.mark.p(32)
def test_the_letter_tells_what_the_process_is_doing(letter: bytes, life: Life) -> None:
    stat = parse_stat(STAT.replace(b") S ", b") " + letter + b" "))
    assert stat is not None
    assert stat.life is life


@pytest.mark.parametrize("letter", [b"Z", b"X", b"x"])
def test_a_process_that_waits_to_be_reaped_is_gone(letter: bytes) -> None:
    assert parse_stat(STAT.replace(b") S ", b") " + letter + b" ")) is None


@pytest.mark.parametrize("name", [b"a) T 1 (b", b"))) ", b"\xff\n\0", b"", b"a b c"])
def test_a_process_cannot_lie_with_its_name(name: bytes) -> None:
    assert parse_stat(STAT.replace(b"ollama", name)) == parse_stat(STAT)


@given(st.integers(0, len(STAT.split()) - 32))
def test_a_line_that_is_cut_off_is_no_line(count: int) -> None:
    assert parse_stat(b" ".join(STAT.split()[:count])) is None


@given(st.binary())
def test_no_line_breaks_the_reader(text: bytes) -> None:
    parse_stat(text)
    parse_stat(b"1 (x) " + text)


@pytest.mark.parametrize(
    "line", ["ollama serve", "/usr/bin/ollama serve", "./ollama serve --verbose"]
)
def test_ollama_serve_is_the_server(line: str) -> None:
    assert is_server(command(line))


@pytest.mark.parametrize(
    "line",
    [
        "",
        "ollama",
        "ollama run phi3:mini",
        "ollama-exporter serve",
        "grep ollama serve",
        "/bin/sh -uc ollama serve",
        f"ollama runner --model {BLOB} --port 1",
    ],
)
def test_what_only_sounds_like_a_server_is_none(line: str) -> None:
    assert not is_server(command(line))


def test_a_whole_script_in_one_argument_is_no_server() -> None:
    assert not is_server([b"/bin/sh", b"-uc", b"ollama serve &\nwait\n"])


@pytest.mark.parametrize(
    "line",
    [
        f"/usr/bin/ollama runner --model {BLOB} --port 35357",
        f"ollama runner --ollama-engine --model {BLOB} --port 35357",
        f"/usr/lib/ollama/llama-server --port=35357 --model={BLOB} -c 4096",
        f"llama-server -m {BLOB} --port 35357",
    ],
)
def test_a_runner_tells_its_weights_and_its_port(line: str) -> None:
    assert parse_runner(command(line)) == Runner(WEIGHTS, 35357)


@pytest.mark.parametrize(
    "line",
    ["", "ollama runner --ollama-engine --port 1", "ollama serve", "ollama runner --model"],
)
def test_a_child_without_a_model_is_no_runner(line: str) -> None:
    assert parse_runner(command(line)) is None


@pytest.mark.parametrize("port", ["0", "65536", "-1", "", "1e3", "٣", "9" * 5000, "35357x"])
def test_a_port_that_is_none_is_unknown(port: str) -> None:
    assert parse_runner([b"ollama", b"runner", b"--model", b"x", b"--port", port.encode()]) == (
        Runner("x", None)
    )


@given(st.lists(st.binary() | st.sampled_from([b"--model", b"-m", b"--port", b"--model="])))
def test_no_command_line_breaks_the_reader(arguments: list[bytes]) -> None:
    line = arguments or [b""]
    is_server(line)
    parse_runner(line)
