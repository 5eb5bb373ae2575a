"""`stoker`, as a person at a terminal meets it."""

import io
import json
import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from stoker_operator.cli import main

ROOT = Path(__file__).parents[3]
MINIMAL = (ROOT / "examples/minimal.yaml").read_text()

Output = pytest.CaptureFixture[str]

# What is wrong with a file, and what is said of it.
BROKEN = {
    "an unknown field": (
        "spec: {model: phi3:mini, keepalive: 5m}",
        ":4: document 1, spec.keepalive: is no field of this object; did you mean `keepAlive`?",
    ),
    "no model": ("spec: {}", ":4: document 1, spec.model: is required"),
    "no spec": ("", ":1: document 1, spec: is required"),
    "days": (
        "spec:\n  model: phi3:mini\n  keepAlive: 1d",
        ':6: document 1, spec.keepAlive: "1d" must be -1 (never unload), or at least 10 seconds',
    ),
    "a cloud model": (
        "spec:\n  model: gpt-oss:120b-cloud",
        ':5: document 1, spec.model: "gpt-oss:120b-cloud" must be a model that runs here',
    ),
    "a number in quotes": (
        'spec: {model: phi3:mini, replicas: "2"}',
        ':4: document 1, spec.replicas: "2" must be a whole number',
    ),
    "two stores": (
        "spec:\n  model: phi3:mini\n  storage:\n    emptyDir: {}\n    existingClaim: a",
        ":6: document 1, spec.storage: must name exactly one kind of store",
    ),
    "a roll-out that cannot": (
        "spec:\n  model: phi3:mini\n  rollout:\n    maxSurge: 0",
        ":6: document 1, spec.rollout.maxUnavailable: maxSurge and maxUnavailable must not both",
    ),
    "a quantised cache alone": (
        "spec:\n  model: phi3:mini\n  options: {kvCacheType: q8_0}",
        ":6: document 1, spec.options.kvCacheType: a quantised kvCacheType works only with flash",
    ),
    "a key twice": (
        "spec:\n  model: phi3:mini\n  model: phi3:medium",
        ":6: not YAML: the key 'model' stands here twice",
    ),
    "not YAML": ("spec: [", ": not YAML: "),
}
HEAD = "apiVersion: stoker.dev/v1alpha1\nkind: LLMDeployment\nmetadata: {name: phi3}\n"


@pytest.mark.parametrize("name", BROKEN)
def test_a_broken_file_gets_a_sentence_with_its_line(
    name: str, tmp_path: Path, capsys: Output
) -> None:
    text, sentence = BROKEN[name]
    file = tmp_path / "broken.yaml"
    file.write_text(HEAD + text)
    assert main(["validate", "-f", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert len(said.err.splitlines()) == 1
    assert said.err.startswith(str(file) + sentence.partition(" ")[0])
    assert sentence in said.err


def test_valid_files_are_named(capsys: Output) -> None:
    assert main(["validate", "-f", str(ROOT / "examples")]) == 0
    assert capsys.readouterr().out.startswith("7 valid: ")


def test_render_prints_nothing_when_one_document_is_broken(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "two.yaml"
    file.write_text(MINIMAL + "---\n" + MINIMAL.replace("mini", "mini:x").replace("phi3\n", "b\n"))
    assert main(["render", "-f", str(file)]) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert "document 2, spec.model" in said.err


def test_render_reads_standard_input_and_keeps_other_kinds(
    capsys: Output, monkeypatch: pytest.MonkeyPatch
) -> None:
    other = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": "x", "date": "2026-01-01"}}
    monkeypatch.setattr(sys, "stdin", io.StringIO(MINIMAL + "---\n---\n" + yaml.dump(other)))
    assert main(["render", "-f", "-", "-n", "models", "-o", "json"]) == 0
    *ours, last = json.loads(capsys.readouterr().out)["items"]
    assert last == other
    assert {each["metadata"]["namespace"] for each in ours} == {"models"}


def test_a_list_is_read_item_by_item(tmp_path: Path, capsys: Output) -> None:
    good, bad = yaml.safe_load(MINIMAL), yaml.safe_load(MINIMAL)
    bad["spec"]["model"] = ""
    bad["metadata"]["name"] = "bad"
    file = tmp_path / "list.json"
    file.write_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": [good, bad]}))
    assert main(["validate", "-f", str(file)]) == 1
    assert "spec.model" in capsys.readouterr().err


def test_the_same_name_twice_is_said(tmp_path: Path, capsys: Output) -> None:
    file = tmp_path / "twice.yaml"
    file.write_text(MINIMAL + "---\n" + MINIMAL)
    assert main(["render", "-f", str(file)]) == 1
    assert f"'phi3' is the name of document 1 of {file} already" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("content", "sentence"),
    [
        (None, "No such file or directory"),
        (b"\xff\xfe", "not UTF-8 text"),
        (
            b"just text",
            'document 1, document: "just text" must be an object with fields of its own',
        ),
        (b"kind: LLMDeploymnt\napiVersion: stoker.dev/v1alpha1", "must be 'LLMDeployment'"),
        (b"kind: LLMDeployment\napiVersion: stoker.dev/v1", "must be 'stoker.dev/v1alpha1'"),
        (b"a: &a [*a]", "document 1: nested deeper than 100"),
    ],
    ids=str,
)
def test_what_is_no_manifest_is_said(
    content: bytes | None, sentence: str, tmp_path: Path, capsys: Output
) -> None:
    file = tmp_path / "x.yaml"
    if content is not None:
        file.write_bytes(content)
    assert main(["validate", "-f", str(file)]) == 1
    assert sentence in capsys.readouterr().err


def test_a_folder_without_manifests_is_said(tmp_path: Path, capsys: Output) -> None:
    assert main(["validate", "-f", str(tmp_path)]) == 1
    assert "this folder has no .yaml, .yml, .json files" in capsys.readouterr().err


def test_the_crd_is_printed(capsys: Output) -> None:
    assert main(["crd"]) == 0
    assert yaml.safe_load(capsys.readouterr().out)["kind"] == "CustomResourceDefinition"
    assert main(["crd", "-o", "json"]) == 0
    assert json.loads(capsys.readouterr().out)["kind"] == "CustomResourceDefinition"


def test_the_version_is_printed(capsys: Output) -> None:
    assert main(["version"]) == 0
    assert capsys.readouterr().out.count(".") == 2


@pytest.mark.parametrize("shell", ["bash", "zsh", "tcsh"])
def test_a_shell_learns_to_complete(shell: str, capsys: Output) -> None:
    assert main(["completion", shell]) == 0
    assert "render" in capsys.readouterr().out


def test_what_stands_around_the_pods_is_as_it_was_asked_for(capsys: Output) -> None:
    minimal = ["render", "-f", str(ROOT / "examples/minimal.yaml"), "-o", "json"]
    network = ["--network-policy", "--operator-namespace=ops", "--monitoring-namespace=prom"]
    labels = ["--pod-monitor-label=release=prom", "--pod-monitor-label=stoker.dev/llmdeployment=x"]
    assert main([*minimal, *network, "--pod-monitor", *labels]) == 0
    found = {each["kind"]: each for each in json.loads(capsys.readouterr().out)["items"]}
    watchers = found["NetworkPolicy"]["spec"]["ingress"][1]["from"]
    names = [each["namespaceSelector"]["matchLabels"].popitem()[1] for each in watchers]
    assert names == ["ops", "prom"]
    assert found["PodMonitor"]["metadata"]["labels"].items() >= {
        ("release", "prom"),
        ("stoker.dev/llmdeployment", "phi3"),  # ours stay as they are
    }


def test_a_label_without_a_value_is_said(capsys: Output) -> None:
    arguments = ["render", "-f", str(ROOT / "examples/minimal.yaml"), "--pod-monitor-label=prom"]
    assert main(arguments) == 1
    assert "'prom' is no NAME=VALUE" in capsys.readouterr().err


def test_wrong_usage_is_told_from_wrong_input(capsys: Output) -> None:
    for arguments in ([], ["rendr"], ["render"], ["render", "-f", "x", "-o", "xml"]):
        with pytest.raises(SystemExit) as caught:
            main(arguments)
        assert caught.value.code == 2
        assert "usage: stoker" in capsys.readouterr().err


def test_help_loads_neither_the_api_nor_yaml() -> None:
    program = (
        "import sys; from stoker_operator.cli import parser; parser().format_help();"
        "print({'pydantic', 'yaml', 'stoker_api'} & sys.modules.keys())"
    )
    assert subprocess.check_output([sys.executable, "-c", program], text=True) == "set()\n"


def test_a_closed_pipe_is_no_accident() -> None:
    stoker = Path(sys.executable).parent / "stoker"
    command = f"{stoker} crd | head -1"
    done = subprocess.run(["sh", "-c", command], capture_output=True, text=True, check=True)
    assert done.stderr == ""
