"""The parts of a simulator, put together: what its HTTP handlers work with."""

from collections.abc import Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from stoker_simulator.answers import Speaker
from stoker_simulator.clock import Clock
from stoker_simulator.download import Download
from stoker_simulator.engine import Engine, Holding
from stoker_simulator.errors import ApiError
from stoker_simulator.faults import Faults
from stoker_simulator.memory import Demand, default_context
from stoker_simulator.names import parse_name
from stoker_simulator.options import Options, read_options
from stoker_simulator.requests import Label, Request
from stoker_simulator.settings import Settings
from stoker_simulator.shelf import Shelf
from stoker_simulator.store import Installed, Store

# Families that Ollama serves one request at a time.
SERIAL_FAMILIES = frozenset(
    [
        "mllama",
        "qwen3vl",
        "qwen3vlmoe",
        "qwen35",
        "qwen35moe",
        "qwen3next",
        "lfm2",
        "lfm2moe",
        "nemotron_h",
        "nemotron_h_moe",
    ]
)


@dataclass
class Service:
    """An Ollama's inside."""

    settings: Settings
    store: Store
    shelf: Shelf
    engine: Engine
    clock: Clock
    faults: Faults
    speaker: Speaker
    version: str

    def __post_init__(self) -> None:
        self.downloads: dict[str, Download] = {}
        """The blobs on their way, by digest."""

    def model(
        self, name: str, *, status: int = 404, quoted: str = "model '{}' not found"
    ) -> Installed:
        """The model on disk; ApiError in the words that the asking path has for it."""
        parsed = parse_name(name)
        model = self.store.find(parsed) if parsed.is_valid else None
        if model is None:
            raise ApiError(status, quoted.format(name))
        return model

    def options(self, model: Installed, asked: Mapping[str, Any]) -> Options:
        """The options of a request for this model."""
        return read_options(self.default_context, model.parameters, asked)

    @property
    def default_context(self) -> int:
        machine = self.engine.hardware.machine
        return self.settings.context_length or default_context(machine)

    def runner(
        self, model: Installed, asked: Mapping[str, Any], options: Options, keep_alive: int | None
    ) -> AbstractAsyncContextManager[Holding]:
        """A runner for a request, for as long as a block lasts."""
        header = model.header
        alone = header.is_embedding or model.config.get("model_family") in SERIAL_FAMILIES
        automatic = (
            "num_ctx" not in {*asked, *model.parameters} and not self.settings.context_length
        )
        trained = header.number("context_length", options.runner.num_ctx)
        request = Request(
            id=self.engine.next_id(),
            key=str(model.weights),
            options=options.runner,
            demand=Demand(
                weights_bytes=model.weights_bytes,
                cache_bytes_per_token=header.cache_bytes_per_token,
                layers=header.number("block_count") + 1,
                context=min(options.runner.num_ctx, trained),
                parallel=1 if alone else self.settings.parallel,
            ),
            label=Label(model.name.shortest, model.digest, model.details),
            keep_alive=keep_alive,
            context_is_automatic=automatic,
            embedding_length=header.number("embedding_length"),
        )
        return self.engine.runner(request)
