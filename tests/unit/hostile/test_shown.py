"""Whatever others say: a line of a log is one line, a metric one sample, a page only text."""

import io
import json
import logging
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser
from typing import Any

from hypothesis import example, given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry
from prometheus_client.exposition import generate_latest
from prometheus_client.parser import text_string_to_metric_families

from stoker_api import wire
from stoker_api.logs import JsonLines, Terminal
from stoker_sidecar.counts import Counts
from stoker_sidecar.figures import Figures
from stoker_sidecar.metrics import SidecarCollector
from stoker_sidecar.page import Transition, page
from support.statuses import HOT
from unit.hostile.junk import calm, texts, values

fields = st.dictionaries(st.sampled_from(["sentence", "model", "reason"]), values)


def logged(formatter: logging.Formatter, told: dict[str, Any], error: str | None) -> str:
    """What a handler writes when it is told this, with an exception where there is an `error`."""
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(formatter)
    record = logging.makeLogRecord({"msg": "something happened", "levelname": "INFO", **told})
    if error is not None:
        trouble = ValueError(error)
        record.exc_info = (ValueError, trouble, None)
    handler.emit(record)
    return written.getvalue()


@calm
@given(fields, st.none() | texts)
@example({"sentence": "\x9b31m\u2028\x7f\ud800"}, None)
@example({"sentence": "a\n{}"}, "b\r\n\x1b[2J")
def test_a_line_for_machines_is_one_line_of_json(told: dict[str, Any], error: str | None) -> None:
    written = logged(JsonLines(), told, error)
    line = written.removesuffix("\n")
    assert line.isprintable(), line
    assert json.loads(line)["phrase"] == "something happened"


@calm
@given(fields, st.none() | texts)
@example({"sentence": "\x1b]0;title\x07\n12:00:00.000 info heat changed state=Hot"}, None)
def test_a_line_for_a_person_is_one_line_without_anything_that_a_terminal_obeys(
    told: dict[str, Any], error: str | None
) -> None:
    first, *traceback = logged(Terminal(), told, error).removesuffix("\n").split("\n")
    assert first.isprintable(), first
    assert bool(traceback) == (error is not None)
    assert all(line.isprintable() for line in traceback), traceback


@calm
@given(texts, texts, st.floats())
def test_a_scrape_has_the_same_series_whatever_words_are_in_it(
    uuid: str, name: str, figure: float
) -> None:
    uuid = uuid.encode(errors="replace").decode()
    gpu = wire.GpuFigures(uuid, name, 1, 1, figure, figure, figure)
    status = replace(HOT, gpus=(gpu,), message=name)
    assert names(scraped(status)) == names(scraped(HOT))


def scraped(status: wire.Status) -> str:
    registry = CollectorRegistry()
    registry.register(SidecarCollector(lambda: Figures(status, Counts(), version="0.1.0")))
    return generate_latest(registry).decode()


def names(text: str) -> Counter[tuple[str, tuple[str, ...]]]:
    """How often each series is there, by name and by the names of its labels."""
    return Counter(
        (sample.name, tuple(sample.labels))
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    )


class _Markup(HTMLParser):
    """The tags of a page with their attributes, and where it leads."""

    def __init__(self) -> None:
        super().__init__()
        self.tags: list[tuple[str, tuple[str, ...]]] = []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, tuple(f"{name}={value}" for name, value in attributes)))


def markup(one: str, other: str) -> list[Any]:
    """The markup of a page on which all words that come from elsewhere are these."""
    status = replace(
        HOT,
        message=one,
        reason=other,
        config_error=one,
        model=wire.ModelFigures(one, other, 1, one, other, 1),
        residency=wire.Residency(1, 1, one),
        gpus=(replace(HOT.gpus[0], name=one, uuid=other),),
        routes=(wire.Route(wire.Api.OLLAMA, ok=False, reason=one, message=other),),
        warnings=(one, other),
    )
    parser = _Markup()
    parser.feed(page(one, status, [Transition(one, status.state, other, one)]).decode())
    parser.close()
    return parser.tags


@calm
@given(texts, texts)
@example("<script>alert(1)</script>", "</style>{body}")
@example("\ud800", "&#60;b>")
def test_the_page_has_the_same_markup_whatever_words_are_in_it(one: str, other: str) -> None:
    assert markup(f"a{one}", f"b{other}") == markup("a", "b")
