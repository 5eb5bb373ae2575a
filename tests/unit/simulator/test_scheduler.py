"""Who gets a runner, who waits, and who leaves: Ollama's scheduler without Ollama."""

from dataclasses import replace

from stoker_simulator.effects import Check, Effect, End, Grant, Load, Refuse
from stoker_simulator.go_time import FOREVER, MINUTE, SECOND
from stoker_simulator.loaded import Policy
from stoker_simulator.memory import GIB, Demand, Machine
from stoker_simulator.options import RunnerOptions
from stoker_simulator.requests import Label, Request
from stoker_simulator.room import Room
from stoker_simulator.scheduler import QUEUE_FULL, Scheduler

MACHINE = Machine()
START = 1_000 * SECOND


class World:
    """A scheduler whose effects all succeed at once, unless a test takes them itself."""

    def __init__(
        self,
        machine: Machine = MACHINE,
        keep_alive: int = 5 * MINUTE,
        max_loaded: int = 0,
        max_queue: int = 512,
    ) -> None:
        self.scheduler = Scheduler(Policy(keep_alive, max_queue), Room(machine, max_loaded))
        self.now = START
        self.done: list[Effect] = []
        self.dead: set[int] = set()
        """Runners that answer no check."""
        self._ids = 0

    def request(
        self, model: str, keep_alive: int | None = None, gib: int = 1, num_ctx: int = 4096
    ) -> Request:
        self._ids += 1
        return Request(
            id=self._ids,
            key=model,
            options=RunnerOptions(num_ctx),
            demand=Demand(gib * GIB, 0, layers=10, context=4096),
            label=Label(f"{model}:latest", model, {}),
            keep_alive=keep_alive,
        )

    def ask(
        self, model: str, keep_alive: int | None = None, gib: int = 1, num_ctx: int = 4096
    ) -> Request:
        """A request comes, and what follows from it happens."""
        request = self.request(model, keep_alive, gib, num_ctx)
        self.scheduler.submit(request, self.now)
        self.settle()
        return request

    def finish(self, request: Request) -> None:
        self.scheduler.finish(request, self.now)
        self.settle()

    def use(self, model: str, keep_alive: int | None = None, num_ctx: int = 4096) -> None:
        """A request comes and is answered."""
        self.finish(self.ask(model, keep_alive, num_ctx=num_ctx))

    def unload(self, model: str) -> None:
        self.scheduler.unload(model, self.now)
        self.settle()

    def wait(self, nanoseconds: int) -> None:
        """Time passes, from one deadline to the next."""
        end = self.now + nanoseconds
        while (due := self.scheduler.deadline()) is not None and due <= end:
            self.now = due
            self.scheduler.tick(due)
            self.settle()
        self.now = end

    def settle(self) -> None:
        while effects := self.scheduler.take():
            for effect in effects:
                self.done.append(effect)
                match effect:
                    case Check():
                        healthy = effect.runner_id not in self.dead
                        self.scheduler.checked(effect, is_healthy=healthy, now=self.now)
                    case Load():
                        self.scheduler.load_ended(effect, None, self.now)
                    case End():
                        self.scheduler.ended(effect.runner_id, self.now)

    def loaded(self) -> list[str]:
        return sorted(self.scheduler.loaded)

    def runner_of(self, request: Request) -> int | None:
        """The runner that the request got, if it got one."""
        granted = (one for one in self.done if isinstance(one, Grant) and one.request is request)
        return next((one.runner_id for one in granted), None)

    def refusals(self) -> list[Refuse]:
        return [effect for effect in self.done if isinstance(effect, Refuse)]


def test_a_model_that_is_not_loaded_is_loaded() -> None:
    world = World()
    assert world.runner_of(world.ask("a")) == 1
    assert world.loaded() == ["a"]


def test_a_model_that_is_loaded_is_used_again() -> None:
    world = World()
    assert world.runner_of(world.ask("a")) == world.runner_of(world.ask("a"))


def test_other_options_wait_for_the_answer_that_is_given_then_reload() -> None:
    world = World()
    first = world.ask("a")
    second = world.ask("a", num_ctx=512)
    assert world.runner_of(second) is None
    world.finish(first)
    assert world.runner_of(second) == 2


def test_a_runner_that_answers_no_check_is_replaced_after_a_second_one() -> None:
    world = World()
    world.use("a")
    world.dead.add(1)
    second = world.ask("a")
    checks = [effect.is_first for effect in world.done if isinstance(effect, Check)]
    assert checks == [True, False]
    assert world.runner_of(second) == 2


def test_a_model_leaves_when_its_time_is_over() -> None:
    world = World(keep_alive=MINUTE)
    world.use("a")
    world.wait(MINUTE - 1)
    assert world.loaded() == ["a"]
    world.wait(1)
    assert world.loaded() == []


def test_a_model_stays_while_it_is_in_use() -> None:
    world = World(keep_alive=MINUTE)
    world.ask("a")
    world.wait(60 * MINUTE)
    assert world.loaded() == ["a"]


def test_for_ever_lasts() -> None:
    world = World()
    world.use("a", keep_alive=FOREVER)
    world.wait(100 * 365 * 24 * 60 * MINUTE)
    assert world.loaded() == ["a"]


def test_a_reload_forgets_the_keep_alive_of_earlier_requests() -> None:
    world = World(keep_alive=MINUTE)
    world.use("a", keep_alive=FOREVER)
    world.use("a", num_ctx=512)
    world.wait(MINUTE)
    assert world.loaded() == []


def test_an_unload_waits_for_the_answer_that_is_given() -> None:
    world = World()
    request = world.ask("a", keep_alive=FOREVER)
    world.unload("a")
    assert world.loaded() == ["a"]
    world.finish(request)
    assert world.loaded() == []


def test_an_unload_shows_an_expiry_that_is_over() -> None:
    world = World()
    world.ask("a", keep_alive=FOREVER)
    world.unload("a")
    world.wait(SECOND)
    runner = world.scheduler.loaded["a"]
    assert world.scheduler.expiry(runner, world.now) < world.now


def test_until_the_first_answer_is_over_the_expiry_is_counted_from_now() -> None:
    world = World(keep_alive=MINUTE)
    request = world.ask("a")
    runner = world.scheduler.loaded["a"]
    world.wait(SECOND)
    assert world.scheduler.expiry(runner, world.now) == world.now + MINUTE
    world.finish(request)
    world.wait(SECOND)
    assert world.scheduler.expiry(runner, world.now) == world.now + MINUTE - SECOND


def test_the_shortest_keep_alive_makes_room() -> None:
    world = World(max_loaded=2)
    world.use("a", keep_alive=FOREVER)
    world.use("b", keep_alive=MINUTE)
    world.use("c")
    assert world.loaded() == ["a", "c"]


def test_an_idle_model_makes_room_before_a_busy_one() -> None:
    world = World(max_loaded=2)
    world.ask("a", keep_alive=MINUTE)
    world.use("b", keep_alive=FOREVER)
    world.use("c")
    assert world.loaded() == ["a", "c"]


def test_by_default_three_models_stay() -> None:
    world = World()
    for model in "abcd":
        world.use(model)
    assert world.loaded() == ["b", "c", "d"]


def test_models_stay_while_they_fit_into_memory() -> None:
    world = World(Machine(cpu_bytes=2 * GIB))
    for model in "abc":
        world.use(model)
    assert world.loaded() == ["b", "c"]


def test_a_model_that_fits_nowhere_is_refused() -> None:
    world = World(Machine(cpu_bytes=2 * GIB))
    world.ask("a", gib=3)
    (refusal,) = world.refusals()
    assert refusal.status == 500
    assert "model requires more system memory (3.0 GiB)" in refusal.message


def test_the_first_model_is_split_silently_and_the_second_evicts() -> None:
    world = World(Machine(gpu_bytes=4 * GIB + GIB // 2))
    world.finish(world.ask("big", gib=8))
    placement = world.scheduler.loaded["big"].placement
    assert (placement.gpu_layers, placement.bytes) == (5, 8 * GIB)
    world.use("small")
    assert world.loaded() == ["small"]


def test_a_request_that_revives_the_leaving_model_blocks_every_load() -> None:
    world = World(max_loaded=1)
    first = world.ask("a")
    waiting = world.ask("b")
    revives = world.ask("a", keep_alive=FOREVER)
    world.finish(first)
    world.finish(revives)
    world.wait(5 * 60 * MINUTE)
    assert world.runner_of(waiting) is None
    assert world.loaded() == ["a"]
    assert world.runner_of(world.ask("a")) == 1
    world.unload("a")
    assert world.runner_of(waiting) is None, "one more request is using it"


def test_an_unload_frees_what_a_revival_has_blocked() -> None:
    world = World(max_loaded=1)
    first = world.ask("a")
    waiting = world.ask("b")
    world.use("a", keep_alive=FOREVER)
    world.finish(first)
    assert world.runner_of(waiting) is None
    world.unload("a")
    assert world.runner_of(waiting) == 2


def test_a_request_without_keep_alive_revives_nothing() -> None:
    world = World(max_loaded=1)
    first = world.ask("a")
    waiting = world.ask("b")
    world.use("a")
    world.finish(first)
    assert world.runner_of(waiting) == 2


def test_loads_beyond_the_queue_are_refused_and_loaded_models_are_not() -> None:
    world = World(max_loaded=1, max_queue=1)
    world.ask("a")
    for _ in range(3):
        world.ask("b")
    (refusal,) = world.refusals()
    assert (refusal.status, refusal.message) == (503, QUEUE_FULL)
    assert world.runner_of(world.ask("a")) == 1


def test_who_hangs_up_in_the_queue_is_not_loaded_for() -> None:
    world = World(max_loaded=1)
    first = world.ask("a")
    world.ask("b")
    gone = world.ask("c")
    world.finish(gone)
    world.finish(first)
    loads = [effect.request.key for effect in world.done if isinstance(effect, Load)]
    assert loads == ["a", "b"]


def test_while_a_process_ends_everybody_waits() -> None:
    world = World()
    world.use("a")
    world.scheduler.unload("a", world.now)
    (end,) = world.scheduler.take()
    assert isinstance(end, End)
    world.scheduler.submit(world.request("b"), world.now)
    assert world.scheduler.take() == []
    assert world.loaded() == ["a"]
    world.scheduler.ended(end.runner_id, world.now)
    world.settle()
    assert world.loaded() == ["b"]


def test_a_frozen_queue_answers_what_is_loaded_and_nothing_else() -> None:
    world = World()
    world.use("a")
    world.scheduler.freeze(world.now, frozen=True)
    waiting = world.ask("b")
    assert world.runner_of(world.ask("a")) == 1
    assert world.runner_of(waiting) is None
    world.scheduler.freeze(world.now, frozen=False)
    world.settle()
    assert world.runner_of(waiting) == 2


def test_the_memory_of_a_gpu_is_free_some_time_after_its_runner_has_ended() -> None:
    world = World(Machine(gpu_bytes=8 * GIB), max_loaded=1)
    world.scheduler.policy = replace(world.scheduler.policy, recovery=SECOND)
    world.use("a")
    waiting = world.ask("b")
    assert world.loaded() == []
    assert world.runner_of(waiting) is None
    world.wait(SECOND)
    assert world.runner_of(waiting) == 2


def test_a_context_that_nobody_asked_for_shrinks_where_that_is_on() -> None:
    world = World(Machine(gpu_bytes=2 * GIB))
    world.scheduler.room.reduces_context = True
    request = world.request("a")
    demand = Demand(GIB, 64 * 1024, layers=10, context=32_768)
    request = replace(request, demand=demand, context_is_automatic=True)
    world.scheduler.submit(request, world.now)
    world.settle()
    placement = world.scheduler.loaded["a"].placement
    assert (placement.context, placement.gpu_layers) == (4096, 10)
