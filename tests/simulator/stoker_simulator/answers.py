"""What a model says, and when: the words come from the runner, their times from the hardware."""

import asyncio
import random
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from stoker_simulator.connections import Connection
from stoker_simulator.engine import Engine, Holding
from stoker_simulator.errors import ApiError, RunnerGoneError
from stoker_simulator.go_time import SECOND
from stoker_simulator.hardware import COLD_SHARE
from stoker_simulator.options import Options

# Words that are asked of a runner in one go, where time allows.
BATCH = 64
# How many words an answer has when nobody limits it.
USUAL_WORDS = (20, 60)
# Shorter times are not worth a turn of the event loop.
LEAST_SLEEP_SECONDS = 0.001
# Ollama never lets a model go on for longer than so many contexts.
MOST_CONTEXTS = 10

GONE_BEFORE = (
    "model runner has unexpectedly stopped, this may be due to resource limitations or an internal"
    " error, check ollama server logs for details"
)
GONE_MEANWHILE = "an error was encountered while running the model: "


@dataclass(frozen=True)
class Said:
    """A part of an answer; the last one has the counts."""

    text: str
    counts: "Counts | None" = None


@dataclass(frozen=True)
class Counts:
    """What an answer took; times in nanoseconds."""

    reason: str
    prompt_tokens: int
    prompt_time: int
    words: int
    words_time: int


class Speaker:
    """Lets runners answer."""

    def __init__(self, engine: Engine, seed: int) -> None:
        self._engine = engine
        self._clock = engine.clock
        self._hardware = engine.hardware
        self._faults = engine.faults
        self._random = random.Random(seed)

    async def say(
        self, holding: Holding, prompt: str, options: Options
    ) -> AsyncGenerator[Said, None]:
        """The answer to this prompt, one word at a time; ApiError 500 when the runner dies."""
        said = 0
        try:
            async with self._answering(holding) as connection:
                started = self._clock.now()
                tokens = token_count(prompt)
                await self._read_prompt(holding, tokens)
                began = due = self._clock.now()
                seed = self._seed(prompt, options)
                most, reason = _length(holding, options, seed)
                while said < most:
                    count, due = await self._due(holding, due)
                    await self._use_gpu(holding)
                    count = min(count, most - said)
                    for word in await holding.process.say(connection, seed + said, count):
                        yield Said(f" {word}" if said else word)
                        said += 1
                ended = self._clock.now()
                yield Said("", Counts(reason, tokens, began - started, said, ended - began))
        except RunnerGoneError as error:
            raise ApiError(500, f"{GONE_MEANWHILE}{error}" if said else GONE_BEFORE) from None

    async def embed(self, holding: Holding, text: str) -> tuple[list[float], int]:
        """The vector of a text, of length 1, and how many tokens the text has."""
        tokens = token_count(text)
        try:
            async with self._answering(holding) as connection:
                await self._read_prompt(holding, tokens)
                await self._use_gpu(holding)
                await holding.process.say(connection, 0, 1)
        except RunnerGoneError:
            raise ApiError(500, GONE_BEFORE) from None
        width = holding.load.request.embedding_length
        source = random.Random(zlib.crc32(text.encode()))
        vector = [source.gauss(0, 1) for _ in range(width)]
        length = sum(value * value for value in vector) ** 0.5 or 1
        return [round(value / length, 8) for value in vector], tokens

    @asynccontextmanager
    async def _answering(self, holding: Holding) -> AsyncIterator[Connection]:
        """A request to the runner, which waits for a slot of it and shows it as busy."""
        async with holding.slots:
            holding.answers += 1
            self._engine.happened("")
            event = ""
            try:
                async with holding.process.answering() as connection:
                    yield connection
                event = "answered"
            finally:
                holding.answers -= 1
                self._engine.happened(event)

    async def _read_prompt(self, holding: Holding, tokens: int) -> None:
        """Takes the time that the prompt takes, in which not a byte comes from the runner."""
        hardware, demand = self._hardware, holding.load.request.demand
        seconds = hardware.prompt_seconds(demand, holding.gpu_share, tokens) * self._slowness()
        if holding.is_cold:
            holding.is_cold = False
            seconds += hardware.load_seconds(demand) * COLD_SHARE
        if seconds >= LEAST_SLEEP_SECONDS:
            with holding.process.spinning():
                await self._clock.sleep(int(seconds * SECOND))

    async def _use_gpu(self, holding: Holding) -> None:
        """Ends the runner, as a CUDA error does, if it has to compute on a GPU that is gone."""
        if holding.on_gpu and self._faults.is_on("gpu-lost"):
            await holding.process.kill()
            raise RunnerGoneError("CUDA error: unspecified launch failure")

    async def _until_no_hang(self, holding: Holding) -> None:
        if not self._faults.is_on("generation-hang"):
            return
        over = asyncio.ensure_future(self._faults.until_over("generation-hang"))
        try:
            with holding.process.spinning():
                # What spins can be killed, and its answer ends with it.
                ends = (over, holding.process.ended)
                await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
        finally:
            over.cancel()

    async def _due(self, holding: Holding, due: int) -> tuple[int, int]:
        """Waits for the next word's time; how many words are due then, and when the next one is."""
        seconds = self._hardware.word_seconds(holding.load.request.demand, holding.gpu_share)
        word_time = int(seconds * self._slowness() * SECOND)
        await self._clock.sleep(due - self._clock.now())
        await self._until_no_hang(holding)
        count = min(BATCH, 1 + max(0, self._clock.now() - due) // word_time)
        return count, due + count * word_time

    def _slowness(self) -> float:
        return self._faults.number("slow-answers", "factor", 1)

    def _seed(self, prompt: str, options: Options) -> int:
        """The same for the same prompt, where the request wants no chance."""
        if options.temperature and options.seed < 0:
            return self._random.getrandbits(32)
        return zlib.crc32(f"{prompt} {options.seed}".encode())


def token_count(text: str) -> int:
    """About as many tokens as a tokenizer would make of it."""
    return 1 + len(text) // 4 + text.count(" ")


def _length(holding: Holding, options: Options, seed: int) -> tuple[int, str]:
    """How many words there will be, and why no more."""
    wanted = options.num_predict
    if wanted is None:
        low, high = USUAL_WORDS
        return low + seed % (high - low), "stop"
    most = MOST_CONTEXTS * holding.load.request.options.num_ctx
    return (wanted if 0 < wanted < most else most), "length"
