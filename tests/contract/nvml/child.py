"""Calls pynvml as it is told on standard input, one line for each call; each in its own thread.

Run as a script, in the environment that is to be tested: pynvml keeps the first library it finds.
"""

import json
import sys
import threading
from ctypes import Array, Structure, _SimpleCData
from typing import Any

import pynvml

# What calls have returned under a name, to be given to later ones: device handles.
kept: dict[str, Any] = {}

# Lines of two threads may not mix.
printing = threading.Lock()


def main() -> None:
    for line in sys.stdin:
        threading.Thread(target=answer, args=[json.loads(line)], daemon=True).start()


def answer(request: dict[str, Any]) -> None:
    reply = {"id": request["id"], **outcome(request)}
    with printing:
        print(json.dumps(reply), flush=True)  # noqa: T201  to the probe


def outcome(request: dict[str, Any]) -> dict[str, Any]:
    arguments = [kept[each["kept"]] if isinstance(each, dict) else each for each in request["with"]]
    try:
        value = getattr(pynvml, request["call"])(*arguments)
    except pynvml.NVMLError as error:
        return {"error": type(error).__name__.removeprefix("NVMLError_"), "says": str(error)}
    if request["keep"]:
        kept[request["keep"]] = value
        return {"value": None}
    return {"value": plain(value)}


def plain(value: Any) -> Any:
    """The value as JSON has it: structs become objects."""
    if isinstance(value, Structure):
        return {name: plain(getattr(value, name)) for name, *_ in type(value)._fields_}
    if isinstance(value, pynvml.nvmlFriendlyObject):
        return {name: plain(each) for name, each in vars(value).items()}
    if isinstance(value, _SimpleCData):
        return value.value
    if isinstance(value, list | tuple | Array):
        return [plain(each) for each in value]
    return value.decode() if isinstance(value, bytes) else value


main()
