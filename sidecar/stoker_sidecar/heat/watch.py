"""What is followed over time: since when something stands still, works, waits."""

from dataclasses import dataclass, replace

from stoker_sidecar.heat.observation import Identity, Life, Loaded, Observation, Process, Traffic

WORKING_SHARE = 0.03
"""Of one core. An idle runner takes none of it."""

CPU_WINDOW_SECONDS = 0.4
"""The kernel counts processor time in hundredths of a second: a shorter look shows chance."""

IDLE_SECONDS = 1.0
"""How long a runner must have done nothing to count as idle."""


@dataclass(frozen=True)
class Watch:
    """The times, and the last values that they come from. None: it does not stand still so."""

    server: Identity | None = None
    runner: Identity | None = None
    runner_known: bool = True
    """Whether a runner is to be expected. Not when a load of ours has brought none into sight."""
    listed: Loaded | None = None
    """The model as it is listed."""
    last_listed: Loaded | None = None
    """The same, remembered when it is listed no more."""
    last_listed_at: float = 0
    listed_by: Identity | None = None
    """The server that did so."""
    listed_runner: Identity | None = None
    """The process that held it then."""
    others_cpu_seconds: float = 0
    others_worked_at: float = 0
    cpu_seconds: float = 0
    cpu_at: float = 0
    page_reads: int = 0
    runner_bytes: int | None = None
    bytes_to_clients: int | None = None
    pulled_bytes: int = 0
    worked_at: float = 0
    """When the runner was last seen to do something: computing, or sending. Or to be held up."""
    computed_at: float = 0
    """When it was last seen to compute, but for the GPU, which others may keep busy, or to send."""
    sent_at: float = 0
    """When a byte last came from the runner."""
    alive_at: float = 0
    """When Ollama last showed life: an answer to us, or bytes to anybody."""
    ended_at: float | None = None
    """When the runner that was in sight was seen to be gone, or to be another one."""
    runner_stopped_since: float | None = None
    runner_waits_since: float | None = None
    server_stopped_since: float | None = None
    leaving_since: float | None = None
    """Since when the model's expiry has been past while nothing was at work."""
    silent_since: float | None = None
    """Since when a request has been in the runner without a byte coming from it."""

    def is_idle(self, now: float) -> bool:
        """Whether the runner has been doing nothing for a moment."""
        return now - self.worked_at >= IDLE_SECONDS

    @property
    def server_changed(self) -> bool:
        """Whether Ollama is another process than the one that last listed the model."""
        return None not in (self.listed_by, self.server) and self.listed_by != self.server

    def are_others_idle(self, now: float) -> bool:
        """Whether no other model's runner works."""
        return now - self.others_worked_at >= IDLE_SECONDS


def watched(watch: Watch, seen: Observation, listed: Loaded | None, now: float) -> Watch:
    """The watch after this observation."""
    own = seen.processes.runner if seen.processes else None
    parent = seen.processes.server if seen.processes else None
    if (own.identity if own else None) != watch.runner:
        # Another process: what the last one did or did not do says nothing about it.
        watch = replace(
            watch, cpu_seconds=own.cpu_seconds if own else 0, cpu_at=now, worked_at=now, sent_at=now
        )
        if watch.runner is not None:
            watch = replace(watch, ended_at=now)
    watch = _others_worked(_worked(watch, seen, own, now), seen, now)
    if listed is not None and seen.server.loaded is not None:
        watch = replace(
            watch,
            last_listed=listed,
            last_listed_at=now,
            listed_by=parent.identity if parent else None,
            listed_runner=own.identity if own else None,
        )
    idle = watch.is_idle(now)
    leaving = listed is not None and (listed.expires_in_seconds or 0) < 0 and idle
    return replace(
        watch,
        server=parent.identity if parent else None,
        runner=own.identity if own else None,
        runner_known=own is not None or watch.runner_known,
        listed=listed,
        pulled_bytes=seen.pull.done_bytes if seen.pull else 0,
        runner_stopped_since=_since(watch.runner_stopped_since, now, own, Life.STOPPED),
        server_stopped_since=_since(watch.server_stopped_since, now, parent, Life.STOPPED),
        runner_waits_since=_since(
            watch.runner_waits_since, now, own if idle else None, Life.WAITING
        ),
        leaving_since=(watch.leaving_since or now) if leaving else None,
        silent_since=_silence(watch, seen.traffic, now),
    )


def _worked(watch: Watch, seen: Observation, own: Process | None, now: float) -> Watch:
    traffic, gpus = seen.traffic, seen.gpus
    if seen.server.error is None and not seen.server.down and not seen.server.silent_seconds:
        watch = replace(watch, alive_at=now)
    if traffic and traffic.bytes_to_clients != watch.bytes_to_clients:
        watch = replace(watch, alive_at=now, bytes_to_clients=traffic.bytes_to_clients)
    if traffic and traffic.runner_bytes != watch.runner_bytes:
        watch = replace(
            watch, sent_at=now, worked_at=now, computed_at=now, runner_bytes=traffic.runner_bytes
        )
    if (gpus and gpus.busy) or seen.is_held_up:
        watch = replace(watch, worked_at=now)
    if own and now - watch.cpu_at >= CPU_WINDOW_SECONDS:
        share = (own.cpu_seconds - watch.cpu_seconds) / (now - watch.cpu_at)
        works = share >= WORKING_SHARE or own.page_reads != watch.page_reads
        watch = replace(
            watch,
            cpu_seconds=own.cpu_seconds,
            cpu_at=now,
            page_reads=own.page_reads,
            worked_at=now if works else watch.worked_at,
            computed_at=now if works else watch.computed_at,
        )
    return watch


def _silence(watch: Watch, traffic: Traffic | None, now: float) -> float | None:
    if traffic is None or not traffic.runner_requests:
        return None
    if traffic.silent_seconds is not None:
        return now - traffic.silent_seconds
    return max(watch.silent_since or now, watch.sent_at)


def _others_worked(watch: Watch, seen: Observation, now: float) -> Watch:
    others = seen.processes.others if seen.processes else ()
    used = sum(other.cpu_seconds for other in others)
    if used == watch.others_cpu_seconds:
        return watch
    return replace(watch, others_cpu_seconds=used, others_worked_at=now)


def _since(since: float | None, now: float, process: Process | None, life: Life) -> float | None:
    if process is None or process.life is not life:
        return None
    return now if since is None else since
