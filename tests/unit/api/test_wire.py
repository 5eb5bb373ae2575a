"""The contract of operator and sidecar: strict, versioned, small."""

import json
import subprocess
import sys
from dataclasses import replace
from typing import Any

import pytest

from stoker_api import wire
from stoker_api.codec import MalformedError
from stoker_operator.desired.heat import heat_config
from support.manifests import merged, resource
from support.statuses import HOT, STARTING

CONFIG = heat_config(resource({"gpu": {"memoryBudget": "8Gi"}, "gate": {"shutOn": ["Budget"]}}))


def test_documents_survive_the_wire() -> None:
    assert wire.HeatConfig.from_json(CONFIG.to_json()) == CONFIG
    partly = replace(HOT, gpus=(replace(HOT.gpus[0], power_watts=None),), pull=wire.Pull(1, None))
    for status in (HOT, STARTING, partly):
        assert wire.Status.from_json(status.to_json()) == status
        assert wire.Status.from_json(status.to_json().encode()) == status


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"extra": 1}, "document: unknown key 'extra'"),
        ({"gate": None}, "document: the key 'gate' is missing"),
        ({"keepAliveSeconds": "1"}, "keepAliveSeconds: must be a whole number, not '1'"),
        ({"keepAliveSeconds": True}, "keepAliveSeconds: must be a whole number, not True"),
        ({"gate": {"treatAsHot": 1}}, "gate.treatAsHot: must be true or false, not 1"),
        ({"gate": {"shutOn": "Budget"}}, "gate.shutOn: must be a list"),
        (
            {"gate": {"shutOn": ["Budget", "X"]}},
            "gate.shutOn[1]: must be one of Latency, Offload, Budget, not 'X'",
        ),
        (
            {"heartbeat": {"canary": {"timeoutSeconds": []}}},
            "heartbeat.canary.timeoutSeconds: must be a number, not []",
        ),
        ({"warmup": 3}, "warmup: must be an object"),
        ({"version": 2}, "version: this Stoker reads 1, not 2"),
    ],
    ids=str,
)
def test_what_is_not_the_contract_is_refused_with_its_place(
    change: dict[str, Any], sentence: str
) -> None:
    document = merged(json.loads(CONFIG.to_json()), change)
    with pytest.raises(MalformedError) as caught:
        wire.HeatConfig.from_json(json.dumps(document))
    assert str(caught.value) == sentence


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"version": "1"}', b"\xff\xfe"])
def test_what_is_no_document_is_refused(text: str | bytes) -> None:
    with pytest.raises(MalformedError):
        wire.HeatConfig.from_json(text)


def test_a_number_may_be_written_without_a_point() -> None:
    document = merged(json.loads(CONFIG.to_json()), {"heartbeat": {"intervalSeconds": 1}})
    interval = wire.HeatConfig.from_json(json.dumps(document)).heartbeat.interval_seconds
    assert interval == 1.0
    assert isinstance(interval, float)


def test_arguments_are_flags_and_unset_ones_are_left_out() -> None:
    arguments = wire.Arguments("phi3:mini", drain_timeout_seconds=1.5)
    assert arguments.to_flags() == [
        "--model=phi3:mini",
        "--gpus=0",
        "--pull-policy=IfNotPresent",
        "--drain-timeout-seconds=1.5",
    ]
    assert "--context-length=8192" in replace(arguments, context_length=8192).to_flags()


def test_the_gate_is_found_among_a_pods_conditions() -> None:
    said = wire.HotCondition(
        hot=True, reason="Proven", message="", last_transition_time="2026-01-01T00:00:00Z"
    )
    ready = {"type": "Ready", "status": "False"}
    assert wire.HotCondition.of([ready, said.to_condition()]) == said
    assert wire.HotCondition.of([ready]) is None


def test_the_contract_costs_less_than_two_mebibytes() -> None:
    """Over a Python that has the two modules of the standard library which it is made of.

    They cost 2.7 MiB themselves where nothing else has brought them, and in a sidecar httpx has.
    Measured in processes of their own, as the memory that is no file's.
    """
    program = "{}\nprint(next(l.split()[1] for l in open('/proc/self/status') if l[:7]=='RssAnon'))"

    def kibibytes(statement: str) -> int:
        command = [sys.executable, "-c", program.format(statement)]
        return min(int(subprocess.check_output(command, text=True)) for _ in range(3))

    bare = kibibytes("import dataclasses, json")
    assert kibibytes("import dataclasses, json, stoker_api.wire") - bare < 2048
