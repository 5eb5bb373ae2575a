"""`stoker up`, from the file to an answer, and what becomes of it when the file changes."""

import json
import signal
import socket

import httpx
import pytest

from contract.local.clients import traffic
from contract.local.machine import HEAVY, Machine, deployment, environment_of, refused
from contract.local.screen import terminal
from contract.simulator.serving import simulating


def test_a_file_becomes_a_hot_model_behind_one_address_and_leaves_nothing(up: Machine) -> None:
    up.write(deployment(server={"env": [{"name": "OLLAMA_DEBUG", "value": "1"}]}))
    up.up()
    up.until("an address", (up.state / "default.phi3" / "status.json").exists)
    assert refused(up.status()["address"])  # nothing is hot yet
    status = up.until_hot()
    assert up.ask().json()["response"]
    ollama = environment_of(up.pid("ollama"))
    assert ollama["OLLAMA_KEEP_ALIVE"] == "-1"
    assert ollama["OLLAMA_DEBUG"] == "1"
    assert "SIMULATOR" in up.said()
    up.process.send_signal(signal.SIGTERM)
    assert up.process.wait(20) == 0
    assert up.pids() == []
    assert refused(status["address"])


def test_heat_neutral_changes_are_taken_up_without_a_restart(up: Machine) -> None:
    up.write(deployment())
    up.up()
    up.until_hot()
    before = up.pids()
    up.write(deployment(heartbeat={"interval": "250ms"}, keepAlive="30m"))
    heat = up.state / "default.phi3" / "heat" / "heat.json"
    up.until("heat.json", lambda: json.loads(heat.read_text())["keepAliveSeconds"] == 1800)
    log = up.state / "default.phi3" / "logs" / "sidecar-1.log"
    up.until("the sidecar's word", lambda: "settings taken up" in log.read_text())
    assert up.pids() == before
    assert up.status()["replicas"][0]["hot"]


def test_other_changes_replace_replicas_and_no_request_is_refused_or_cold(up: Machine) -> None:
    up.write(deployment(replicas=2, server=HEAVY))
    up.up()
    status = up.until_hot(2)
    with traffic(status["address"]) as seen:
        up.write(deployment(replicas=2, server=HEAVY, options={"contextLength": 2048}))
        up.until("two others", lambda: _numbers(up) == [3, 4])
        up.until_hot(2)
    assert seen.errors == []
    assert seen.cold == []
    assert seen.count > 10


def _numbers(up: Machine) -> list[int]:
    return [each["number"] for each in up.status()["replicas"]]


def test_a_mistake_changes_nothing_and_is_told_in_the_words_of_validate(up: Machine) -> None:
    up.write(deployment())
    up.up()
    up.until_hot()
    before = up.pids()
    for mistake in ('{"apiVersion": ', "", json.dumps(deployment(keepAlive="1d"))):
        told = up.said().count("files not taken up")
        up.file.write_text(mistake)
        up.until("a word", lambda told=told: up.said().count("files not taken up") == told + 1)
        assert up.pids() == before
    assert 'spec.keepAlive: "1d" must be -1' in up.said()
    up.write(deployment(replicas=2))  # and what is right again is taken up
    up.until_hot(2)


def test_replicas_come_and_go_with_the_number_and_suspend_ends_all(up: Machine) -> None:
    up.write(deployment(replicas=3))
    up.up()
    status = up.until_hot(3)
    up.write(deployment(replicas=1))
    up.until_hot(1)
    up.write(deployment(replicas=1, suspend=True))
    up.until_hot(0)
    assert refused(status["address"])
    up.write(deployment(replicas=1))
    up.until_hot(1)
    assert up.ask().status_code == 200


def test_what_is_taken_out_of_the_file_ends_and_what_is_put_in_begins(up: Machine) -> None:
    up.write(deployment(), deployment("other", model="tinyllama"))
    up.up()
    first, second = up.until_hot(), up.until_hot(name="other")
    assert first["address"] != second["address"]
    up.write(deployment("other", model="tinyllama"))
    up.until("one alone", lambda: refused(first["address"]))
    up.until("one alone", lambda: "phi3:mini" not in up.stoker("status").stdout)
    assert up.status("other")["hot"] == 1
    up.write(deployment(), deployment("other", model="tinyllama"))
    up.until_hot()
    assert up.status()["address"] == first["address"]


@pytest.mark.slow
def test_eight_replicas_are_hot_behind_one_address(up: Machine) -> None:
    up.write(deployment(replicas=8, server=HEAVY))
    up.up()
    status = up.until_hot(8)
    ports = {each["ollamaPort"] for each in status["replicas"]}
    assert len(ports) == 8
    with traffic(status["address"], clients=16) as seen:
        up.until("work", lambda: seen.count > 100)
    assert seen.errors == []
    assert seen.cold == []


def test_a_second_up_says_who_runs_and_does_no_harm(up: Machine) -> None:
    up.write(deployment())
    up.up()
    status = up.until_hot()
    second = up.stoker("up", "-f", str(up.file))
    assert second.returncode == 1
    assert f"process {up.process.pid} (`stoker up`) runs it since" in second.stderr
    assert status["address"] in second.stderr
    assert up.ask().status_code == 200


def test_in_the_background_it_is_looked_at_asked_and_ended(up: Machine) -> None:
    up.write(deployment())
    begun = up.stoker("up", "-f", str(up.file), "--detach")
    assert begun.returncode == 0, begun.stderr
    assert "stoker down" in begun.stdout
    up.output.write_text("")
    try:
        up.until_hot()
        assert "phi3:mini  1/1" in up.stoker("status").stdout
        assert json.loads(up.stoker("status", "-o", "json").stdout)[0]["hot"] == 1
        why = up.stoker("why", "phi3").stdout
        assert "1 of 1 replicas hot" in why
        assert "now: Hot, gate open" in why
        assert "Loading/Loading" in why
        logs = up.stoker("logs", "phi3").stdout
        assert "sidecar-1 | " in logs
        assert "ollama-1 | " in logs
        assert "stoker | " in logs
    finally:
        down = up.stoker("down")
    assert down.stdout == "ended: default.phi3\n"
    up.until("the end", lambda: up.pids() == [])
    assert up.stoker("down").stdout == "nothing runs\n"
    assert "nothing runs" in up.stoker("status").stdout


def test_a_detached_one_that_cannot_begin_says_why(up: Machine) -> None:
    up.write(deployment())
    up.up()
    up.until_hot()
    second = up.stoker("up", "-f", str(up.file), "-d")
    assert second.returncode == 1
    assert "runs already" in second.stderr


def test_the_address_is_as_asked(up: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        port = probe.getsockname()[1]
    up.write(deployment())
    up.up("--listen", f"127.0.0.1:{port}")
    assert up.until_hot()["address"] == f"http://127.0.0.1:{port}"
    assert up.ask().status_code == 200


def test_a_port_that_is_taken_is_given_up_for_another_one_which_then_stays(up: Machine) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        up.write(deployment(routing={"service": {"port": port}}))
        up.up()
        address = up.until_hot()["address"]
        assert f"127.0.0.1:{port} cannot be had: Address already in use" in up.said()
        assert up.ask().status_code == 200
    up.process.send_signal(signal.SIGINT)
    assert up.process.wait(20) == 0
    up.up()  # at once, with connections of before still lingering there
    assert up.until_hot()["address"] == address


def test_an_ollama_that_runs_already_is_attached_to(up: Machine) -> None:
    with simulating("--speed", "20", "--model", "phi3:mini=1GB") as running:
        url = running.processes.base_url
        up.write(deployment(replicas=2, options={"parallel": 4}))
        up.up("--ollama", url)
        up.until_hot()
        assert "spec.replicas: there is one Ollama" in up.said()
        assert "spec.options: the Ollama that runs has its own environment" in up.said()
        assert up.ask().json()["response"]
        assert [each["name"] for each in up.status()["replicas"][0]["processes"]] == ["sidecar"]
        up.process.send_signal(signal.SIGTERM)
        assert up.process.wait(30) == 0
        assert httpx.get(f"{url}/api/version", trust_env=False).status_code == 200


def test_one_replica_pulls_what_is_missing_and_the_others_wait_for_it(up: Machine) -> None:
    # Told what to be, the simulator has nothing on its disk; and it pulls at its own speed.
    env = [{"name": "STOKER_SIMULATOR", "value": "--speed 50"}]
    up.write(deployment(replicas=3, server={"env": env}))
    up.up()
    up.until_hot(3)
    histories = [each["history"] for each in up.status()["replicas"]]
    pulled = [any(one["state"] == "Pulling" for one in history) for history in histories]
    assert pulled == [True, False, False]


def test_at_a_terminal_there_is_a_table_and_ctrl_c_ends_it(up: Machine) -> None:
    up.write(deployment())
    with terminal(up.command("up", "-f", str(up.file)), up.environment) as screen:
        up.until("a hot line", lambda: "1/1" in screen.shown() and "  Hot  " in screen.shown())
        assert "\x1b[" in screen.shown()
        screen.type("\x03")
        up.until("the end", screen.has_ended)
    assert up.pids() == []


def test_an_answer_under_way_arrives_whole_though_all_is_told_to_end(up: Machine) -> None:
    up.write(deployment())
    up.up()
    status = up.until_hot()
    question = {"model": "phi3:mini", "prompt": "Why?", "options": {"num_predict": 2000}}
    url = f"{status['address']}/api/generate"
    with httpx.stream("POST", url, json=question, trust_env=False, timeout=30) as answer:
        lines = answer.iter_lines()
        assert not json.loads(next(lines))["done"]
        up.process.send_signal(signal.SIGTERM)
        up.until("a shut address", lambda: refused(status["address"]))
        assert up.process.poll() is None
        *_, last = lines
    assert json.loads(last)["eval_count"] == 2000
    assert up.process.wait(20) == 0
    assert up.pids() == []
