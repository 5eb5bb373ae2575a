"""Ollama's scheduler as a pure model: which runner a request gets, and who has to leave for it.

No I/O and no clock: each call says what happened and when, and `take()` tells what is to be done.
It follows `server/sched.go` of Ollama 0.17.4, whose two loops and locks are rebuilt as states:

- One request at a time is *active*: it checks, makes room and loads, while the rest queues.
- A request for a loaded model does not queue, if the runner has its options and answers a check.
- To make room, a runner's keep-alive is set to nothing; it leaves when its last request is done.
  Whatever sets the keep-alive again meanwhile keeps it, and the active request waits on (P7).
- While a runner's process is being ended, nothing else happens: the list of models is locked.
"""

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass

from stoker_simulator.effects import Check, Effect, End, Grant, Load, Refuse
from stoker_simulator.loaded import Policy, Runner
from stoker_simulator.requests import Request
from stoker_simulator.room import Room, victim

QUEUE_FULL = "server busy, please try again.  maximum pending requests exceeded"


@dataclass
class _Active:
    """The request that is being worked on."""

    request: Request
    waits_for_room: bool = False


class Scheduler:
    """Decides. Tell it what happens, then carry out what `take()` returns."""

    def __init__(self, policy: Policy, room: Room) -> None:
        self.policy = policy
        self.room = room
        self.is_frozen = False
        """Whether the queue has stopped moving, as in the dead-locks that were reported."""
        self.refuses_loads = False
        """Whether the queue says that it is full, whatever is in it."""
        self.loaded: dict[str, Runner] = {}
        self._queue: deque[Request] = deque()
        self._active: _Active | None = None
        self._gone: set[int] = set()
        self._ending: Runner | None = None
        self._held: deque[Callable[[], None]] = deque()
        self._recovers_at: int | None = None
        self._effects: list[Effect] = []
        self._runners = 0
        self._now = 0

    # What happens

    def submit(self, request: Request, now: int) -> None:
        """A request wants a runner."""
        self._do(now, lambda: self._submit(request))

    def checked(self, check: Check, *, is_healthy: bool, now: int) -> None:
        """The runner answered a health check, or did not."""
        self._do(now, lambda: self._checked(check, is_healthy=is_healthy))

    def load_ended(self, load: Load, failure: str | None, now: int) -> None:
        """The model is in memory; or it will never be, and its process has ended."""
        self._do(now, lambda: self._load_ended(load, failure))

    def finish(self, request: Request, now: int) -> None:
        """The client has its answer, or has left before."""
        self._do(now, lambda: self._finish(request))

    def unload(self, key: str, now: int) -> None:
        """A client asks for the end of a model: a keep-alive of nothing without a prompt."""
        self._do(now, lambda: self._unload(key))

    def ended(self, runner_id: int, now: int) -> None:
        """The process of a runner that was to end has ended."""
        if self._ending is None or self._ending.id != runner_id:
            return
        self._now = now
        runner, self._ending = self._ending, None
        self.loaded.pop(runner.request.key, None)
        if runner.placement.gpu_bytes and self.policy.recovery:
            self._recovers_at = now + self.policy.recovery
        else:
            self._made_room()
        self._replay()

    def tick(self, now: int) -> None:
        """Time has passed."""
        self._now = now
        if self._recovers_at is not None and self._recovers_at <= now:
            self._recovers_at = None
            self._made_room()
        for runner in list(self.loaded.values()):
            # One that ends keeps the others waiting.
            if self._ending is None and runner.leaves_at is not None and runner.leaves_at <= now:
                runner.leaves_at = None
                self._end(runner)

    def freeze(self, now: int, *, frozen: bool) -> None:
        """Stops the queue, or lets it go on."""
        self.is_frozen = frozen
        self._do(now, self._pump)

    # What is to be done, and seen

    def take(self) -> list[Effect]:
        """What is to be done now, in this order."""
        effects, self._effects = self._effects, []
        return effects

    def deadline(self) -> int | None:
        """When `tick` is to be called next."""
        times = (
            [runner.leaves_at for runner in self.loaded.values()] if self._ending is None else []
        )
        return min((time for time in [*times, self._recovers_at] if time is not None), default=None)

    def expiry(self, runner: Runner, now: int) -> int:
        """What `/api/ps` shows: until the first request is done, it is counted from now."""
        return now + runner.keep_alive if runner.expires_at is None else runner.expires_at

    @property
    def waiting(self) -> int:
        """How many requests wait for a load, the active one included."""
        return len(self._queue) + (self._active is not None)

    # Requests

    def _submit(self, request: Request) -> None:
        runner = self.loaded.get(request.key)
        if runner is not None and runner.request.options.serves(request.options):
            self._effects.append(Check(request, runner.id, is_first=True))
        else:
            self._enqueue(request)

    def _enqueue(self, request: Request) -> None:
        is_full = self._active is not None and len(self._queue) >= self.policy.max_queue
        if is_full or self.refuses_loads:
            self._effects.append(Refuse(request, 503, QUEUE_FULL))
            return
        self._queue.append(request)
        self._pump()

    def _checked(self, check: Check, *, is_healthy: bool) -> None:
        if check.request.id in self._gone:
            self._drop(check.request)
            return
        runner = self.loaded.get(check.request.key)
        same = runner is not None and runner.id == check.runner_id
        if runner is not None and same and is_healthy:
            self._use(runner, check.request)
            if not check.is_first:
                self._next()
        elif check.is_first:
            self._enqueue(check.request)
        elif runner is not None and same:
            self._make_room(runner)
        else:
            self._attempt()

    def _use(self, runner: Runner, request: Request) -> None:
        runner.users.add(request.id)
        runner.leaves_at = None
        if request.keep_alive is not None:
            runner.keep_alive = request.keep_alive
        self._effects.append(Grant(request, runner.id))

    def _finish(self, request: Request) -> None:
        runner = self.loaded.get(request.key)
        if runner is None or request.id not in runner.users:
            # Still waiting somewhere: whoever meets it there drops it.
            self._gone.add(request.id)
            return
        runner.users.discard(request.id)
        if runner.users:
            return
        if runner.keep_alive <= 0:
            self._end(runner)
        else:
            runner.leaves_at = runner.expires_at = self._now + runner.keep_alive

    def _unload(self, key: str) -> None:
        runner = self.loaded.get(key)
        if runner is not None:
            runner.expires_at = self._now
            self._let_go(runner)

    # The queue

    def _pump(self) -> None:
        while self._active is None and self._queue and not self.is_frozen:
            request = self._queue.popleft()
            if request.id in self._gone:
                self._gone.discard(request.id)
                continue
            self._active = _Active(request)
            self._attempt()

    def _next(self) -> None:
        self._active = None
        self._pump()

    def _attempt(self) -> None:
        """Takes the active request one step further."""
        assert self._active is not None
        self._active.waits_for_room = False
        request = self._active.request
        if request.id in self._gone:
            self._drop(request)
            return
        runner = self.loaded.get(request.key)
        if runner is not None and runner.request.options.serves(request.options):
            self._effects.append(Check(request, runner.id, is_first=False))
        elif runner is not None:
            self._make_room(runner)
        elif self.room.is_full(self.loaded.values()):
            self._make_room(victim(self.loaded.values()))
        else:
            self._load(request)

    def _drop(self, request: Request) -> None:
        self._gone.discard(request.id)
        if self._active is not None and self._active.request is request:
            self._next()

    def _load(self, request: Request) -> None:
        placement = self.room.place(request, self.loaded.values())
        if placement is not None:
            self._runners += 1
            self._effects.append(Load(request, self._runners, placement))
        elif self.loaded:
            self._make_room(victim(self.loaded.values()))
        else:
            self._effects.append(Refuse(request, 500, self.room.refusal(request)))
            self._next()

    def _load_ended(self, load: Load, failure: str | None) -> None:
        request = load.request
        if failure is None:
            keep_alive = (
                self.policy.keep_alive if request.keep_alive is None else request.keep_alive
            )
            runner = Runner(load.runner_id, request, load.placement, keep_alive, {request.id})
            self.loaded[request.key] = runner
            self._effects.append(Grant(request, runner.id))
            if request.id in self._gone:
                self._gone.discard(request.id)
                self._finish(request)
        else:
            self._gone.discard(request.id)
            self._effects.append(Refuse(request, 500, failure))
        self._next()

    # Making room

    def _make_room(self, runner: Runner) -> None:
        assert self._active is not None
        self._active.waits_for_room = True
        self._let_go(runner)

    def _let_go(self, runner: Runner) -> None:
        """Lets the runner leave as soon as nobody uses it."""
        runner.leaves_at = None
        runner.keep_alive = 0
        if not runner.users:
            self._end(runner)

    def _end(self, runner: Runner) -> None:
        self._ending = runner
        self._effects.append(End(runner.id))

    def _made_room(self) -> None:
        if self._active is not None and self._active.waits_for_room:
            self._attempt()

    # The lock

    def _do(self, now: int, work: Callable[[], None]) -> None:
        """Does it now, or when the process that is being ended has ended."""
        self._now = now
        if self._ending is None:
            work()
        else:
            self._held.append(work)

    def _replay(self) -> None:
        while self._held and self._ending is None:
            self._held.popleft()()
