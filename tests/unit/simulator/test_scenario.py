"""Scenario files and faults: what they say, and the sentence where they are wrong."""

import pytest

from stoker_simulator.errors import UsageError
from stoker_simulator.faults import FAULTS, Faults, table
from stoker_simulator.go_time import SECOND
from stoker_simulator.play import Step
from stoker_simulator.scenario import read_scenario

GOOD = """\
gpu: {memory: 24GiB, name: A card}
memory: 32GiB
speed: 10
seed: 7
models:
  - phi3:mini
  - {name: "mine:7b", size: 4.1GB, parameters: 7G, layers: 40, capabilities: [completion, tools]}
steps:
  - {at: 30s, inject: slow-answers, with: {factor: 5}}
  - {after: answered, times: 3, inject: runner-crash}
  - {at: 2m, clear: slow-answers}
"""


def test_a_scenario_is_read() -> None:
    scenario = read_scenario(GOOD, "good.yaml")
    assert (scenario.gpu_bytes, scenario.gpu_name) == (24 * 2**30, "A card")
    assert (scenario.cpu_bytes, scenario.speed, scenario.seed) == (32 * 2**30, 10, 7)
    known, mine = scenario.models
    assert (known.name, known.family) == ("phi3:mini", "phi3")
    assert (mine.name, mine.bytes, mine.parameters, mine.layers) == (
        "mine:7b", 4_100_000_000, 7_000_000_000, 40,
    )  # fmt: skip
    assert scenario.steps == (
        Step("slow-answers", begins=True, parameters={"factor": 5}, at=30 * SECOND),
        Step("runner-crash", begins=True, parameters={}, after="answered", times=3),
        Step("slow-answers", begins=False, parameters={}, at=120 * SECOND),
    )


def test_an_empty_scenario_says_nothing() -> None:
    assert read_scenario("", "empty.yaml").steps == ()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("models: [", "bad.yaml:1: this is no YAML: "),
        ("modles: []", "bad.yaml:1: `modles` is nothing here; did you mean `models`?"),
        ("\n\n- a", "bad.yaml:3: here must stand a map, with: gpu, memory, models"),
        ("gpu:\n  memory: much", "bad.yaml:2: `much` is no size; write `24GiB`"),
        ("speed: fast", "bad.yaml:1: `fast` must be a number, 0 or more"),
        (
            "models:\n- a\n",
            "bad.yaml:2: `a` is not known by itself; give its size, as {name: a, size",
        ),
        ("models:\n- {name: a}\n", "bad.yaml:2: a model needs `name` and `size`"),
        ("models: phi3", "bad.yaml:1: here must stand a list"),
        (
            "steps:\n- {inject: x}",
            "bad.yaml:2: a step needs either `at` (a time, as 30s) or `after`",
        ),
        ("steps:\n- {at: 1s}", "bad.yaml:2: a step needs either `inject` or `clear`"),
        (
            "steps:\n- at: 1\n  inject: x",
            "bad.yaml:3: there is no fault `x`; there are: scheduler-",
        ),
        ("steps:\n- at: 1\n  inject: queue-full", 'bad.yaml:2: time: missing unit in duration "1"'),
        (
            "steps:\n- after: x\n  inject: queue-full",
            "bad.yaml:2: `x` is no event; there are: loaded",
        ),
        (
            "steps:\n- at: 1s\n  inject: slow-answer",
            "bad.yaml:3: there is no fault `slow-answer`; did you mean `slow-answers`?",
        ),
        (
            "steps:\n- at: 1s\n  inject: slow-answers\n  with: {factr: 1}",
            "bad.yaml:3: `slow-answers` has no parameter `factr`; it has: factor",
        ),
    ],
)
def test_a_bad_scenario_is_refused_with_its_line_and_what_exists(text: str, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        read_scenario(text, "bad.yaml")
    assert str(caught.value).startswith(sentence)


def test_every_fault_is_listed_with_its_number() -> None:
    lines = table().splitlines()
    assert len(lines) == len(FAULTS)
    for fault, line in zip(FAULTS.values(), lines, strict=True):
        assert line.split()[:2] == [fault.name, fault.pitfall]


def test_a_fault_holds_until_it_is_cleared_and_tells_who_listens() -> None:
    faults = Faults()
    heard: list[str] = []
    faults.listeners.append(heard.append)
    faults.inject("slow-answers", {"factor": 3})
    assert faults.number("slow-answers", "factor", 1) == 3
    faults.clear("slow-answers")
    faults.clear("slow-answers")
    assert faults.number("slow-answers", "factor", 1) == 1
    assert heard == ["slow-answers", "slow-answers"]


@pytest.mark.parametrize(
    ("name", "parameters", "sentence"),
    [
        ("queue-ful", {}, "there is no fault `queue-ful`; did you mean `queue-full`?"),
        ("queue-full", {"a": 1}, "`queue-full` has no parameter `a`; it has: none"),
        ("slow-answers", {"factor": "x"}, "`factor` of `slow-answers` must be a number, not 'x'"),
        ("wrong-provider", {"model": 1}, "`model` of `wrong-provider` must be a text, not 1"),
        ("slow-answers", [1], "the parameters of `slow-answers` must be a map of names to values"),
    ],
)
def test_a_fault_that_cannot_be_is_refused(name: str, parameters: object, sentence: str) -> None:
    with pytest.raises(UsageError) as caught:
        Faults().inject(name, parameters)  # type: ignore[arg-type]
    assert str(caught.value) == sentence
