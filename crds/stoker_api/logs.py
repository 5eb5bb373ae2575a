"""Logs: a constant phrase and fields. JSON lines for machines, a sentence at a terminal."""

import json
import logging
import sys
from datetime import UTC, datetime

from stoker_api.words import escaped

_OWN = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "taskName"}


def _fields(record: logging.LogRecord) -> dict[str, object]:
    return {name: value for name, value in record.__dict__.items() if name not in _OWN}


def _time(record: logging.LogRecord) -> str:
    moment = datetime.fromtimestamp(record.created, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


class JsonLines(logging.Formatter):
    """One object for each line, whatever the words of others have in them."""

    def format(self, record: logging.LogRecord) -> str:
        line = {
            "time": _time(record),
            "level": record.levelname.lower(),
            "phrase": record.getMessage(),
            **_fields(record),
        }
        if record.exc_info:
            line["traceback"] = self.formatException(record.exc_info)
        return escaped(json.dumps(line, default=str, ensure_ascii=False))


class Terminal(logging.Formatter):
    """One line for a person, and a traceback below it where there is one."""

    def format(self, record: logging.LogRecord) -> str:
        fields = _fields(record)
        sentence = fields.pop("sentence", None)
        facts = " ".join(f"{name}={value}" for name, value in fields.items() if value is not None)
        parts = [_time(record)[11:23], record.levelname.lower(), record.getMessage(), facts]
        text = " ".join(part for part in parts if part)
        if sentence:
            text = f"{text}: {sentence}"
        lines = self.formatException(record.exc_info).split("\n") if record.exc_info else []
        return "\n".join(map(escaped, (text, *lines)))


def start(style: str, level: str) -> None:
    """Sends logs to standard error. `auto`: for people at a terminal, for machines elsewhere."""
    if style == "auto":
        style = "text" if sys.stderr.isatty() else "json"
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Terminal() if style == "text" else JsonLines())
    logging.basicConfig(level=level.upper(), handlers=[handler], force=True)
