"""How answers are written: JSON as Go writes it."""

import json
from typing import Any

from stoker_simulator.http import Response

JSON = "application/json; charset=utf-8"
PLAIN_JSON = "application/json"
LINES = "application/x-ndjson"
EVENTS = "text/event-stream"

_encoder = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False)


def encode(value: Any) -> bytes:
    """JSON without spaces."""
    return _encoder.encode(value).encode()


def send_json(response: Response, value: Any, status: int = 200, kind: str = JSON) -> None:
    """Answers with this value."""
    response.send(status, encode(value), kind)
