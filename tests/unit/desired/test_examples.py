"""Every example renders to the manifests that were looked at and accepted (`make golden`)."""

from pathlib import Path

import pytest

from stoker_operator.cli import main

ROOT = Path(__file__).parents[3]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
GOLDEN = ROOT / "tests/golden"


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_an_example_renders_to_its_golden_manifests(
    example: Path, capsys: pytest.CaptureFixture[str], request: pytest.FixtureRequest
) -> None:
    arguments = ["render", "-f", str(example), "--sidecar-image", "stoker-sidecar:golden"]
    assert main([*arguments, "--network-policy", "--pod-monitor"]) == 0
    rendered = capsys.readouterr().out
    golden = GOLDEN / example.name
    if request.config.getoption("--update-golden"):
        golden.write_text(rendered)
    assert rendered == golden.read_text(), f"{example.name}: look at the change, `make golden`"


def test_each_golden_file_has_its_example() -> None:
    assert [path.name for path in sorted(GOLDEN.glob("*.yaml"))] == [path.name for path in EXAMPLES]
