"""The page for a person: what state the model is in, why, since when, and what came before.

One document without scripts, pictures or anything from elsewhere. Everything in it is escaped: the
names of models and the words of errors come from others.
"""

import base64
import hashlib
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from html import escape

from stoker_api import wire
from stoker_sidecar.heat.facts import size

REFRESH_SECONDS = 2

_STYLE = """
:root { color-scheme: light dark; --good: #1a7f37; --way: #9a6700; --bad: #cf222e; --dim: #59636e;
  --line: #d1d9e0; }
@media (prefers-color-scheme: dark) { :root { --good: #3fb950; --way: #d29922; --bad: #f85149;
  --dim: #9198a1; --line: #3d444d; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 46rem; margin: 0 auto; padding: 1rem;
  overflow-wrap: anywhere; }
h1 { font-size: 3rem; line-height: 1.1; margin: 1rem 0 0; }
h2 { font-size: 1rem; margin: 2rem 0 .5rem; }
.good { color: var(--good); } .way { color: var(--way); } .bad { color: var(--bad); }
.dim { color: var(--dim); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem .75rem .25rem 0;
  border-top: 1px solid var(--line); }
th { font-weight: normal; color: var(--dim); width: 9rem; }
progress { width: 100%; }
"""

CONTENT_SECURITY_POLICY = (
    "default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; style-src"
    f" 'sha256-{base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()}'"
)

_GOOD = {wire.HeatState.HOT}
_BAD = {
    wire.HeatState.UNREACHABLE,
    wire.HeatState.COLD,
    wire.HeatState.STUCK,
    wire.HeatState.BLOCKED,
}

Row = tuple[str, str]


@dataclass(frozen=True)
class Transition:
    """One change of state that was."""

    time: str
    state: wire.HeatState
    reason: str
    message: str


def page(model: str, status: wire.Status, transitions: Iterable[Transition]) -> bytes:
    """The page; `model` is the name that was asked for, the newest transition comes first."""
    gate = "open: this pod takes traffic" if status.hot else "shut: no traffic comes here"
    parts = [
        f"<p>{escape(model)}</p>",
        f'<h1 class="{_mood(status.state)}">{escape(status.state)}</h1>',
        f"<p><b>{escape(status.reason)}</b>: {escape(status.message)}</p>",
        f'<p class="dim">since {escape(status.since)}, gate {gate}</p>',
        *_pull(status.pull),
        *_section("Model", _model(status)),
        *_section("GPU", _gpus(status.gpus)),
        *_section("Speed", _speed(status)),
        *_section("Routes", _routes(status.routes)),
        *_section("Worth knowing", _worth_knowing(status)),
        *_section("Last transitions", _history(transitions)),
    ]
    return _DOCUMENT.format(
        seconds=REFRESH_SECONDS,
        title=f"{escape(status.state)} · {escape(model)}",
        style=_STYLE,
        body="\n".join(parts),
    ).encode("utf-8", "replace")


_DOCUMENT = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta http-equiv="refresh" content="{seconds}">
<title>{title}</title>
<style>{style}</style>
<body>
{body}
<p class="dim">Also here: <a href="/status">/status</a> (JSON), <a href="/metrics">/metrics</a></p>
</body>
</html>
"""


def _mood(state: wire.HeatState) -> str:
    if state in _GOOD:
        return "good"
    return "bad" if state in _BAD else "way"


def _section(title: str, rows: Iterable[Row]) -> Iterator[str]:
    """A table, where there is anything to show."""
    lines = [f"<tr><th>{escape(name)}<td>{escape(value)}" for name, value in rows]
    if lines:
        yield f"<h2>{escape(title)}</h2>"
        yield "<table>" + "\n".join(lines) + "</table>"


def _pull(pull: wire.Pull | None) -> Iterator[str]:
    if pull is None:
        return
    if not pull.total_bytes:
        yield f"<p>Pulling: {size(pull.done_bytes)}</p>"
        return
    yield f"<p>Pulling: {size(pull.done_bytes)} of {size(pull.total_bytes)}</p>"
    yield f'<progress max="{pull.total_bytes}" value="{pull.done_bytes}"></progress>'


def _model(status: wire.Status) -> Iterator[Row]:
    if model := status.model:
        yield "digest", model.digest
        yield "on disk", size(model.size_bytes)
        kind = ", ".join(each for each in (model.parameters, model.quantisation) if each)
        if kind:
            yield "parameters", kind
        if model.context_length is not None:
            yield "context", f"{model.context_length} tokens"
    if residency := status.residency:
        yield "in memory", size(residency.total_bytes)
        yield "of that on GPU", size(residency.vram_bytes)
        yield "until", residency.expires_at or "without end"


def _gpus(gpus: Iterable[wire.GpuFigures]) -> Iterator[Row]:
    for gpu in gpus:
        known = (
            gpu.used_bytes is not None and f"{size(gpu.used_bytes)} used",
            gpu.total_bytes is not None and f"{size(gpu.total_bytes)} in all",
            gpu.utilisation_ratio is not None and f"{gpu.utilisation_ratio:.0%} busy",
            gpu.power_watts is not None and f"{gpu.power_watts:.0f} W",
            gpu.temperature_celsius is not None and f"{gpu.temperature_celsius:.0f} °C",
        )
        yield gpu.name, ", ".join(each for each in known if each) or "says nothing"


def _speed(status: wire.Status) -> Iterator[Row]:
    latency, start = status.latency, status.cold_start
    for name, seconds in (
        ("first token, p50", latency.first_token_p50_seconds),
        ("first token, p95", latency.first_token_p95_seconds),
        ("last start: pull", start.pull_seconds),
        ("last start: verify", start.verify_seconds),
        ("last start: load", start.load_seconds),
        ("last start: token", start.first_token_seconds),
    ):
        if seconds is not None:
            yield name, f"{seconds:.3g} s"
    if latency.tokens_per_second is not None:
        yield "answers", f"{latency.tokens_per_second:.3g} tokens/s"


def _routes(routes: Iterable[wire.Route]) -> Iterator[Row]:
    for route in routes:
        yield route.api, f"{'ok' if route.ok else 'NOT ok'}, {route.reason}: {route.message}"


def _worth_knowing(status: wire.Status) -> Iterator[Row]:
    if status.config_error:
        yield "settings", f"the last good ones are in force: {status.config_error}"
    for warning in status.warnings:
        yield "warning", warning


def _history(transitions: Iterable[Transition]) -> Iterator[Row]:
    for each in transitions:
        yield each.time, f"{each.state} ({each.reason}): {each.message}"
