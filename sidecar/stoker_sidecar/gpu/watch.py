"""The pod's GPUs, in time: NVML in a thread of its own.

A call into a driver that is stuck does not return, and nothing can end it. So all calls are made in
one thread that nobody awaits for longer than a deadline, and that does not keep the process alive.
Until it comes back, what the GPUs do is unknown.
"""

import asyncio
import queue
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from functools import partial

from stoker_sidecar.gpu.devices import Pick
from stoker_sidecar.gpu.driver import Driver, nothing
from stoker_sidecar.heat.observation import Gpus

_DEADLINE_SECONDS = 2.0


@dataclass(frozen=True)
class _Question:
    runner_pid: int | None
    idle: bool
    answer: asyncio.Future[Gpus]


class Nvml:
    """The pod's GPUs. It belongs to one event loop, and starts NVML at the first `read`."""

    def __init__(
        self,
        pick: Pick,
        *,
        clock: Callable[[], float] = time.monotonic,
        deadline_seconds: float = _DEADLINE_SECONDS,
    ) -> None:
        self.failures = 0
        """How many reads could not tell, or told of a lost GPU."""
        self._driver = Driver(pick, clock)
        self._clock = clock
        self._deadline_seconds = deadline_seconds
        self._questions: queue.SimpleQueue[_Question | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None
        self._answer: asyncio.Future[Gpus] | None = None
        self._asked_at = 0.0

    async def read(self, runner_pid: int | None = None, *, idle: bool = False) -> Gpus:
        """The pod's GPUs as of now, or why they are unknown: by the deadline, whatever happens.

        `runner_pid` is the process whose memory is told apart. `idle` says that no model is loaded:
        what is used then is the baseline. One read at a time.
        """
        if self._answer is None or self._answer.done():
            self._answer = self._ask(runner_pid, idle=idle)
        left = self._asked_at + self._deadline_seconds - self._clock()
        if left > 0:
            await asyncio.wait([self._answer], timeout=left)
        gpus = self._answer.result() if self._answer.done() else self._hanging()
        self.failures += bool(gpus.unknown or gpus.lost)
        return gpus

    def close(self) -> None:
        """Ends NVML once it has come back from what it is doing; does not wait for that."""
        self._questions.put(None)

    def _ask(self, runner_pid: int | None, *, idle: bool) -> asyncio.Future[Gpus]:
        if self._thread is None:
            # A daemon: the process may end while it hangs.
            self._thread = threading.Thread(target=self._work, name="nvml", daemon=True)
            self._thread.start()
        self._asked_at = self._clock()
        answer: asyncio.Future[Gpus] = asyncio.get_running_loop().create_future()
        self._questions.put(_Question(runner_pid, idle, answer))
        return answer

    def _work(self) -> None:
        while question := self._questions.get():
            answer = question.answer
            try:
                gpus = self._driver.look(question.runner_pid, idle=question.idle)
                tell = partial(answer.set_result, gpus)
            except Exception as error:  # noqa: BLE001 - `read` raises it
                tell = partial(answer.set_exception, error)
            with suppress(RuntimeError):  # the loop has ended: nobody is left to be told
                answer.get_loop().call_soon_threadsafe(tell)
        self._driver.close()

    def _hanging(self) -> Gpus:
        seconds = self._clock() - self._asked_at
        call = self._driver.library.asking
        return nothing(
            unknown=f"NVML has not answered for {seconds:.0f} s (in {call}): the driver is stuck, "
            f"or still starting. Look for lines with NVRM in the machine's kernel log (dmesg); a "
            f"driver that stays stuck needs a reboot"
        )
