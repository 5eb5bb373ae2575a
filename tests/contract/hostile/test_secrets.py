"""What people ask and what models say is in nothing that the sidecar writes or shows."""

from pathlib import Path

import httpx

from contract.hostile.front import Front, front
from contract.simulator.serving import simulating
from support.sidecars import Sidecar, sidecar
from support.waiting import wait_for

ASKED = "what-a-client-asks"
WARMED = "what-warms-it-up"
SAID = "what-the-model-says"

FLAGS = (
    *("--model", "llama3.2", "--no-processes", "--warmup-prompts", WARMED, "--log-level", "debug"),
    *("--heartbeat-canary-idle-after-seconds", "1", "--routing-apis", "ollama"),
    *("--routing-apis", "openai"),
)


def test_neither_prompts_nor_answers_are_written_or_shown(tmp_path: Path) -> None:
    with (
        simulating("--speed", "100", "--model", "llama3.2") as simulation,
        front(str(simulation.http.base_url), SAID) as before,
        sidecar(tmp_path, before.url, "--routing-service-url", before.url, *FLAGS) as keeper,
    ):
        keeper.until_ready()
        ask(before, "/api/generate", prompt=ASKED, stream=False)
        ask(before, "/api/chat", messages=[{"role": "user", "content": ASKED}])
        said = before.marked
        wait_for("a canary", lambda: before.marked > said, seconds=60)
        shown = shown_by(keeper)
        before.cuts = True
        keeper.until("CanaryFailed")
        shown |= {f"{name}, of broken answers": text for name, text in shown_by(keeper).items()}
    for name, text in shown.items():
        assert ASKED not in text, name
        assert SAID not in text, name
    # The settings are written down with what was seen, and only there (docs/sidecar.md).
    assert {name for name, text in shown.items() if WARMED in text} <= {
        "timeline",
        "timeline, of broken answers",
    }


def ask(ollama: Front, path: str, **body: object) -> None:
    answer = httpx.post(f"{ollama.url}{path}", json={"model": "llama3.2", **body}, timeout=30)
    assert answer.status_code == 200
    assert SAID in answer.text


def shown_by(keeper: Sidecar) -> dict[str, str]:
    """All that a sidecar writes, and all that it answers."""
    paths = ("/status", "/metrics", "/", "/readyz", "/livez", "/drain", "/nowhere")
    return {
        "log": keeper.log.read_text(),
        "timeline": keeper.timeline.read_text(),
        **{path: keeper.http.get(path).text for path in paths},
    }
