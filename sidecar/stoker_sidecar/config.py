"""How heat is kept: `heat.json`, read anew whenever it changes, and the same without a file.

The file is looked at once a second (one `stat`), which also notices how Kubernetes swaps a mounted
ConfigMap: the file stays and the link to its folder changes. A bad file changes nothing; the last
good one stays in force, and `error` says what is wrong with the new one.
"""

import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from stoker_api import wire
from stoker_api.codec import MalformedError
from stoker_sidecar.errors import SidecarError

MAX_BYTES = 1024 * 1024
"""What a ConfigMap can hold."""
LOOK_SECONDS = 1.0

_FOREVER = -1
_SHORTEST_KEEP_ALIVE = 10
_STALL_WITH_GPU_SECONDS = 120.0


class ConfigError(SidecarError):
    """A `heat.json` that cannot be used; says where it is wrong and what would be right."""


_Identity = tuple[int, int, int, int]


class HeatFile:
    """The settings in a file, as of its last good version."""

    def __init__(self, path: Path, clock: Callable[[], float] = time.monotonic) -> None:
        """Reads the file; `ConfigError` where there is no good one to start with."""
        self._path = path
        self._clock = clock
        self._looked_at = clock()
        self._seen = _identity(path)
        self.config = read(path)
        self.error: str | None = None
        """Why the newest version is not in force."""
        self.errors = 0
        """How many versions could not be used."""

    def look(self) -> bool:
        """Whether `config` is new. Cheap enough for every heartbeat."""
        now = self._clock()
        if now - self._looked_at < LOOK_SECONDS:
            return False
        self._looked_at = now
        # Before it is read: what changes meanwhile is then seen the next time.
        identity = _identity(self._path)
        if identity == self._seen:
            return False
        self._seen = identity
        return self._take()

    def _take(self) -> bool:
        try:
            config = read(self._path)
        except ConfigError as error:
            self.error = str(error)
            self.errors += 1
            return False
        self.error = None
        changed = config != self.config
        self.config = config
        return changed


def read(path: Path) -> wire.HeatConfig:
    """The settings in the file at `path`."""
    try:
        config = wire.HeatConfig.from_json(_content(path))
    except OSError as error:
        raise ConfigError(
            f"{path} cannot be read ({error.strerror}): in Kubernetes the operator mounts it from"
            " the ConfigMap NAME-heat; elsewhere leave the file out to use the defaults"
        ) from error
    except MalformedError as error:
        raise ConfigError(f"{path}: {error}; the API reference lists what is allowed") from error
    if wrong := complaint(config):
        raise ConfigError(f"{path}: {wrong}")
    return config


def defaults(*, uses_gpu: bool) -> wire.HeatConfig:
    """What the operator makes of an LLMDeployment that says nothing, without a Service."""
    return wire.HeatConfig(
        keep_alive_seconds=-1,
        warmup=wire.Warmup(
            prompts=("Say hello.",),
            consecutive=2,
            target_first_token_seconds=None,
            deadline_seconds=900.0,
        ),
        heartbeat=wire.Heartbeat(
            interval_seconds=0.5,
            canary=wire.Canary(idle_after_seconds=10.0, timeout_seconds=15.0, failure_threshold=2),
            stall_seconds=_STALL_WITH_GPU_SECONDS if uses_gpu else None,
        ),
        gate=wire.Gate(shut_on=(), treat_as_hot=False),
        gpu=wire.Gpu(None, wire.OnOverBudget.WARN, None) if uses_gpu else None,
        routing=wire.Routing(service_url=None, apis=(wire.Api.OLLAMA,)),
    )


def complaint(config: wire.HeatConfig) -> str | None:
    """What is wrong with settings whose types are right; the bounds are those of the API."""
    if config.keep_alive_seconds != _FOREVER and config.keep_alive_seconds < _SHORTEST_KEEP_ALIVE:
        return "keepAliveSeconds: must be -1 (without end), or 10 or more"
    for place, value, low, high in _bounded(config):
        # Written so that "not a number", which is neither more nor less, is refused.
        if value is not None and not low <= value <= high:
            return f"{place}: must be from {low:g} to {high:g}, not {value:g}"
    if not all(config.warmup.prompts):
        return "warmup.prompts: must not hold an empty prompt, which only loads the model"
    url = config.routing.service_url
    if url is not None and not url.startswith(("http://", "https://")):
        return f"routing.serviceUrl: must begin with http:// or https://, not {url!r:.80}"
    return None


def _bounded(config: wire.HeatConfig) -> Iterator[tuple[str, float | None, float, float]]:
    """Each number (or length), with its place and its bounds."""
    warmup, heartbeat, gpu = config.warmup, config.heartbeat, config.gpu
    canary = heartbeat.canary
    yield "keepAliveSeconds", config.keep_alive_seconds, _FOREVER, 10**9 - 1
    yield "warmup.prompts: how many", len(warmup.prompts), 1, 8
    yield "warmup.prompts: the longest", max(map(len, warmup.prompts), default=1), 0, 4096
    yield "warmup.consecutive", warmup.consecutive, 1, 20
    yield "warmup.targetFirstTokenSeconds", warmup.target_first_token_seconds, 0.001, 600
    yield "warmup.deadlineSeconds", warmup.deadline_seconds, 10, 7 * 24 * 3600
    yield "heartbeat.intervalSeconds", heartbeat.interval_seconds, 0.1, 60
    yield "heartbeat.canary.idleAfterSeconds", canary.idle_after_seconds, 1, 3600
    yield "heartbeat.canary.timeoutSeconds", canary.timeout_seconds, 1, 600
    yield "heartbeat.canary.failureThreshold", canary.failure_threshold, 1, 20
    yield "heartbeat.stallSeconds", heartbeat.stall_seconds, 5, 3600
    if gpu is not None:
        yield "gpu.memoryBudgetBytes", gpu.memory_budget_bytes, 1, 2**63
        yield "gpu.minOffloadRatio", gpu.min_offload_ratio, 0, 1


def _content(path: Path) -> bytes:
    """What is in an ordinary file of a decent size; anything else could take for ever."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ConfigError(f"{path} is not a file")
    with path.open("rb") as file:
        content = file.read(MAX_BYTES + 1)
    if len(content) > MAX_BYTES:
        raise ConfigError(f"{path} is larger than {MAX_BYTES} bytes")
    return content


def _identity(path: Path) -> _Identity | None:
    """What changes when the file at the end of all links is another, or another version."""
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_dev, found.st_ino, found.st_mtime_ns, found.st_size
