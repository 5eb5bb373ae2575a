"""The control port: faults, time and state of a running simulator, for tests and for people.

GET    /state
GET    /faults
POST   /faults/NAME     {"factor": 5}       puts a fault in force, with its parameters
DELETE /faults/NAME
POST   /time            {"advance": "5h"}   moves time ahead
"""

from typing import Any

from stoker_simulator.engine import Engine
from stoker_simulator.errors import ApiError, UsageError
from stoker_simulator.faults import FAULTS
from stoker_simulator.go_json import read_object
from stoker_simulator.go_time import parse_duration, timestamp
from stoker_simulator.http import Request, Response
from stoker_simulator.wire import send_json

_PATHS = "GET /state, GET /faults, POST and DELETE /faults/NAME, POST /time"


class Control:
    """Answers on the control port."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def handle(self, request: Request, response: Response) -> None:
        """Answers one request, whatever it is."""
        try:
            send_json(response, await self._answer(request))
        except ApiError as error:
            send_json(response, {"error": error.message}, error.status)
        except UsageError as error:
            send_json(response, {"error": str(error)}, 400)

    async def _answer(self, request: Request) -> Any:
        verb, name = request.method, request.path.removeprefix("/faults/")
        if name != request.path and verb in {"POST", "DELETE"}:
            if verb == "POST":
                self._engine.faults.inject(name, _read(request))
            else:
                self._engine.faults.clear(name)
            return {"faults": self._engine.faults.in_force()}
        match verb, request.path:
            case "GET", "/state":
                return self._state()
            case "GET", "/faults":
                return [
                    {"name": one.name, "pitfall": one.pitfall, "what": one.what, **_parameters(one)}
                    for one in FAULTS.values()
                ]
            case "POST", "/time":
                return await self._advance(_read(request))
        raise ApiError(404, f"there is no {verb} {request.path}; there are: {_PATHS}")

    async def _advance(self, body: dict[str, Any]) -> Any:
        length = body.get("advance")
        try:
            nanoseconds = parse_duration(length) if isinstance(length, str) else -1
        except ValueError as error:
            raise UsageError(f"`advance`: {error}") from None
        if nanoseconds < 0:
            raise UsageError('`advance` must be a length of time, as {"advance": "5h"}')
        await self._engine.clock.advance(nanoseconds)
        return {"now": timestamp(self._engine.clock.now())}

    def _state(self) -> Any:
        engine = self._engine
        return {
            "now": timestamp(engine.clock.now()),
            "faults": engine.faults.in_force(),
            "waiting": engine.scheduler.waiting,
            "runners": [
                {
                    "pid": holding.process.pid,
                    "model": holding.load.request.label.name,
                    "is_alive": not holding.process.ended.done(),
                    "answers": holding.answers,
                    "gpu_layers": holding.load.placement.gpu_layers,
                    "claimed_gpu_bytes": holding.load.placement.gpu_bytes,
                    "real_gpu_bytes": holding.on_gpu,
                }
                for holding in engine.holdings.values()
            ],
        }


def _read(request: Request) -> dict[str, Any]:
    return read_object(request.body, "Request", {}) if request.body.strip() else {}


def _parameters(fault: Any) -> dict[str, Any]:
    return {"parameters": dict(fault.parameters)} if fault.parameters else {}
