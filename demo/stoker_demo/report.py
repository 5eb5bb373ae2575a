"""The run as one page: tables, drawings, and what became of every request that was not good. Pure.

One file, with nothing in it from elsewhere and no script; light or dark as the reader has it.
"""

from collections.abc import Iterator
from html import escape

from stoker_demo import plot, telling
from stoker_demo.judging import Limits, Verdict, promise, verdict
from stoker_demo.record import Run, Side
from stoker_demo.telling import Table, moment, span

_STYLE = """
:root { color-scheme: light dark; --ink: #1f2328; --dim: #59636e; --line: #d1d9e0; --paper: #fff;
  --good: #1a7f37; --slow: #8250df; --cold: #0969da; --error: #cf222e; --hang: #9a6700;
  --open: #2da44e; --shut: #d1d9e0; --blind: #bf8700; }
@media (prefers-color-scheme: dark) { :root { --ink: #f0f6fc; --dim: #9198a1; --line: #3d444d;
  --paper: #0d1117; --good: #3fb950; --slow: #ab7df8; --cold: #4493f8; --error: #f85149;
  --hang: #d29922; --open: #238636; --shut: #3d444d; --blind: #9e6a03; } }
body { font: 16px/1.5 system-ui, sans-serif; max-width: 72rem; margin: 0 auto; padding: 1rem;
  color: var(--ink); background: var(--paper); overflow-wrap: break-word; }
h1 { font-size: 1.75rem; } h2 { font-size: 1.25rem; margin: 2rem 0 .5rem; }
.dim { color: var(--dim); } .broken { color: var(--error); }
table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; vertical-align: top; padding: .25rem 1rem .25rem 0;
  border-top: 1px solid var(--line); }
thead th { border: 0; color: var(--dim); font-weight: normal; }
tr:target { outline: 2px solid var(--cold); }
.wide { overflow-x: auto; }
svg { width: 100%; min-width: 44rem; font-size: 11px; }
svg text { fill: var(--dim); } .middle { text-anchor: middle; } .end { text-anchor: end; }
.grid { stroke: var(--line); } .limit { stroke: var(--cold); stroke-dasharray: 4 4; }
.mark { stroke: var(--ink); stroke-dasharray: 2 3; }
svg a:focus { outline: 2px solid var(--cold); }
rect.open { fill: var(--open); } rect.shut { fill: var(--shut); } rect.blind { fill: var(--blind); }
rect.stuck, rect.blocked { fill: var(--error); }
circle.good { fill: var(--good); } circle.slow { fill: var(--slow); }
circle.cold { fill: var(--cold); }
path.error { stroke: var(--error); } path.hang { stroke: var(--hang); }
path.error, path.hang { fill: none; stroke-width: 1.5; }
.key { display: inline-block; margin-right: 1.5rem; } .key svg { width: 12px; min-width: 0; }
"""

_KEYS = {
    Verdict.GOOD: "warm",
    Verdict.SLOW: "slow",
    Verdict.COLD: "paid a cold start",
    Verdict.ERROR: "failed",
    Verdict.HANG: "hung",
}

_LEGEND = """\
Each request is a dot: to the right when it began, upwards how long its first token took. The dashed
line is at {cold}, twenty times what a warm one usually takes. A line with a number is what was done
to one replica of both sides; it leads to its act. Bars: green is hot and takes traffic, grey takes
none, red takes none and hangs or lacks something, yellow takes traffic and nobody looks.
"""

_DOCUMENT = """\
<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8"/>
<meta name="viewport" content="width=device-width, initial-scale=1"/>
<title>Stoker: the demo</title>
<style>{style}</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def page(run: Run, replicas: int, than: Limits) -> str:
    """The whole page."""
    parts = [
        "<h1>The same Ollamas, the same requests, the same faults</h1>",
        f'<p class="dim">Served by {escape(run.server)}. All figures are of this one run.</p>',
        *_verdict(run, than),
        *_table(telling.totals(run, than)),
        *(part for side in run.sides for part in _drawing(run, side, replicas, than)),
        *_legend(than),
        *_table(telling.acts(run, than), name="act"),
        *_details(run, than),
    ]
    return _DOCUMENT.format(style=_STYLE, body="\n".join(parts))


def _verdict(run: Run, than: Limits) -> Iterator[str]:
    kind = "" if promise(run.stoker, than).is_kept else ' class="broken"'
    for line in telling.kept(run, than):
        yield f"<p{kind}>{escape(line)}</p>"


def _table(table: Table, name: str = "") -> Iterator[str]:
    yield f"<h2>{escape(table.title)}</h2>"
    yield '<div class="wide"><table>'
    yield f"<thead>{_row('th', table.heads)}</thead>"
    yield "<tbody>"
    for number, cells in enumerate(table.rows, 1):
        mark = f' id="{name}-{number}"' if name else ""
        first = f"{number}. {cells[0]}" if name else cells[0]
        yield _row("td", (first, *cells[1:]), mark)
    yield "</tbody></table></div>"


def _row(kind: str, cells: tuple[str, ...], mark: str = "") -> str:
    inner = "".join(f"<{kind}>{escape(cell)}</{kind}>" for cell in cells)
    return f"<tr{mark}>{inner}</tr>"


def _drawing(run: Run, side: Side, replicas: int, than: Limits) -> Iterator[str]:
    yield f"<h2>{escape(side.name)}</h2>"
    yield f'<div class="wide">{plot.plot(run, side, replicas, than)}</div>'


def _legend(than: Limits) -> Iterator[str]:
    yield f'<p class="dim">{_LEGEND.format(cold=span(than.cold_seconds))}</p>'
    yield "<p>"
    for found, name in _KEYS.items():
        cross = found in (Verdict.ERROR, Verdict.HANG)
        shape = (
            f'<path class="{found}" d="M2 2l8 8m0 -8l-8 8"/>'
            if cross
            else f'<circle class="{found}" cx="6" cy="6" r="4"/>'
        )
        drawn = f'<svg viewBox="0 0 12 12" aria-hidden="true">{shape}</svg>'
        yield f'<span class="key">{drawn} {name}</span>'
    yield "</p>"


def _details(run: Run, than: Limits) -> Iterator[str]:
    """The dots that are not good, in words, for those who cannot point at them."""
    for side in run.sides:
        rows = tuple(_rows(side, than))
        yield f"<details><summary>{escape(side.name)}: {len(rows)} requests that were not good"
        yield "</summary>"
        heads = ("began", "what became of it", "first token", "ended after", "error")
        yield from _table(Table(side.name, heads, rows))
        yield "</details>"


def _rows(side: Side, than: Limits) -> Iterator[tuple[str, ...]]:
    for each in side.requests:
        found = verdict(each, than)
        if found is not Verdict.GOOD:
            token, whole = span(each.first_token_seconds), span(each.seconds)
            yield moment(each.began), _KEYS[found], token, whole, each.error
