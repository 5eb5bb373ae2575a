"""A sidecar beside somebody who says anything but what Ollama would: it goes on and stays small."""

import logging
from pathlib import Path
from typing import Any

from bed.pods import resident_bytes
from contract.hostile.stranger import Stranger, stranger
from contract.sidecar.pod import sample
from support.sidecars import sidecar
from support.waiting import wait_for
from unit.hostile.junk import NASTY, NO_DOCUMENTS

_log = logging.getLogger(__name__)

MIB = 1024**2
MOST = 2**63 - 1
DIGEST = "a" * 64
ENOUGH = {"/api/ps": 200, "/api/generate": 10, "/api/tags": 4, "/api/show": 2, "/api/version": 1}
"""How often it is asked what."""


def model(**changes: Any) -> dict[str, Any]:
    """The model as a good Ollama lists it, but for this."""
    return {
        "name": "tiny:latest",
        "model": "tiny:latest",
        "digest": DIGEST,
        "size": 1000,
        "size_vram": 0,
        "context_length": 4096,
        "expires_at": "2318-03-04T05:06:07.123456789Z",
        **changes,
    }


ODD_MODELS: list[dict[str, Any]] = [
    *({"name": word} for word in NASTY),
    *({"digest": word} for word in NASTY),
    *({"expires_at": word} for word in NASTY),
    *({"size": size, "size_vram": size} for size in (0, -1, MOST, MOST + 1, 10**4000, 1.5, None)),
    {"size": 1, "size_vram": MOST},
    {"expires_at": "0001-01-01T00:00:00Z"},
    {"expires_at": "9999-12-31T23:59:59-23:59"},
    {"context_length": MOST},
]
LISTS = [
    *({"models": [model(**change)]} for change in ODD_MODELS),
    {"models": [model(name=f"m{number}") for number in range(5000)]},
    {"models": None},
    {"models": []},
    {"models": [model()]},
]
NOTHING = list(NO_DOCUMENTS.values())
SHOWN = {
    "modelfile": "FROM " * 100_000 + "\x1b[2J",
    "details": {"parameter_size": "\x1b[2J", "quantization_level": "<script>"},
    "model_info": {"general.architecture": "a\nb", "a b.context_length": MOST},
    "capabilities": ["completion", *["\n"] * 10_000],
    "requires": "9" * 5000,
}
LINES = [
    b'{"response":"a","done":false}\n{"done":true}\n',
    b'{"model":"\\u001b[2J","done":true}\n',
    b'{"done":true,"eval_count":%d,"eval_duration":1,"load_duration":%d}\n' % (MOST, MOST),
    b'{"error":"\\u001b[2J\\n12:00:00.000 info heat changed","status":%d}\n' % MOST,
    b'{"response":"a"}\n' * 10_000,
    *NOTHING,
]
PULLS = [
    b'{"status":"\\u001b[2J","digest":"a","total":%d,"completed":%d}\n' % (MOST, MOST) * 1000,
    b"".join(b'{"status":"%d","digest":"%d","total":1}\n' % (each, each) for each in range(20_000)),
    b'{"error":"\\u001b[2J\\n12:00:00.000 info heat changed"}\n',
    *NOTHING,
]
GOOD = {"models": [model()]}
ANSWERS: dict[str, list[Any]] = {
    "/api/version": [{"version": word} for word in ("0.17.4", *NASTY)],
    "/api/ps": [*LISTS, *NOTHING],
    "/api/tags": [each for odd in (*LISTS, *NOTHING) for each in (GOOD, GOOD, odd)],
    "/api/show": [each for odd in (SHOWN, *NOTHING) for each in ({}, odd)],
    "/api/generate": LINES,
    "/api/pull": PULLS,
}
FLAGS = ("--model", "tiny", "--no-processes", "--heartbeat-interval-seconds", "0.1")


def test_nothing_that_is_said_ends_it_or_makes_it_big(tmp_path: Path) -> None:
    with stranger(ANSWERS) as ollama, sidecar(tmp_path, ollama.url, *FLAGS) as keeper:
        wait_for("all questions", lambda: have_been_asked(ollama), seconds=120)
        assert keeper.process.poll() is None
        resident = resident_bytes(keeper.process.pid)
        assert keeper.http.get("/livez").status_code == 200
        assert keeper.http.get("/status").status_code == 200
        assert "\x1b" not in keeper.http.get("/").text
        assert sample(keeper, "stoker_hot") == 0
    log = keeper.log.read_text()
    _log.info("resident: %.1f MiB; asked: %s", resident / MIB, dict(ollama.asked))
    assert resident < 100 * MIB
    for line in log.splitlines():
        assert line.isprintable(), line
        assert len(line) < 2000, line
    assert "Traceback" not in log
    assert "a mistake in Stoker" not in log


def have_been_asked(ollama: Stranger) -> bool:
    return all(ollama.asked[path] >= times for path, times in ENOUGH.items())
