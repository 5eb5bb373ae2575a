"""Ollama's processes, seen without any privilege.

`/proc/PID/stat` and `cmdline` of other users' processes can be read, and a pidfd can be had for
them. Their environment, files and signals cannot, and are not needed.

Which process is what:

- The *server* is the process `ollama serve`. A pod has one. On a machine with several, it is the
  one that listens on the port. Only its own user and root may see that; for anybody else it is the
  one that has a runner of this model, and before there is such a runner nobody can tell. Tell
  `server_pid` there.
- A *runner* is a child of the server that was started with a model. One that outlived its server
  is not counted: no request reaches it any more.

The state of a process is that of its main thread. Another thread that is stuck in a driver shows
in the processor time, which then stands still.
"""

import asyncio
import logging
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from stoker_sidecar.heat.observation import Identity, Process, Processes
from stoker_sidecar.procfs import PROC, ProcessFiles, Runner, is_server, parse_runner

_log = logging.getLogger(__name__)

SEARCH_SECONDS = 2.0
"""How often /proc is searched for a server that is not known."""

OTHERS_SECONDS = 10.0
"""… and for runners of other models, while this model's is there."""

_TICKS_PER_SECOND = os.sysconf("SC_CLK_TCK")

_NO_SERVER = (
    "no process `ollama serve` is in sight: a pod shows it with shareProcessNamespace; elsewhere it"
    " must run on this machine, and /proc must not be mounted with hidepid"
)
_SEVERAL_SERVERS = (
    "several processes `ollama serve` are in sight, and not just one of them has loaded this model:"
    " tell the number of the right one"
)


@dataclass(frozen=True)
class _Child:
    """A process that was started as a runner, be it of our server or of another one."""

    identity: Identity
    parent: int
    runner: Runner


class OllamaProcesses:
    """A view of Ollama's server and runners."""

    def __init__(
        self,
        *,
        server_pid: int | None = None,
        proc: Path = PROC,
        clock: Callable[[], float] = time.monotonic,
        port: int | None = None,
    ) -> None:
        self.out_of_sight: str | None = _NO_SERVER
        """Why the processes cannot be seen, in a sentence for a person."""
        self.told_wrong: str | None = None
        """That the process that was told is not there, in a sentence for a person."""
        self.runner_port: int | None = None
        """Where this model's runner listens, as of the last look."""
        self._hint = server_pid
        self._port = port
        self._files = ProcessFiles(proc)
        self._clock = clock
        self._server: Identity | None = None
        self._runners: dict[Identity, Runner] = {}
        self._searched_at = -SEARCH_SECONDS

    def look(self, weights: str | None, *, search: bool = False) -> Processes | None:
        """The processes as they are now; None when they are out of sight.

        `weights` is the name of the file with the model's weights, `sha256-…`. While that is not
        known, a runner that is the only one is taken for this model's.

        A server that has ended leaves the view in sight, and empty. It is searched for now and
        then, or now if `search` says so: for one who knows that it answers again. A runner that is
        missing is searched for at every look, and others with it.
        """
        try:
            seen = self._known(weights)
            if search or self._is_due(seen) or (seen.server and not seen.runner):
                self._search(weights)
                seen = self._known(weights)
        except OSError as error:
            self.out_of_sight = f"the processes cannot be read: {error.strerror}"
            return None
        if seen.server:
            self.out_of_sight = None
        self.runner_port = self._runners[seen.runner.identity].port if seen.runner else None
        return None if self.out_of_sight else seen

    def _is_due(self, seen: Processes) -> bool:
        pause = OTHERS_SECONDS if seen.server else SEARCH_SECONDS
        return self._clock() - self._searched_at >= pause

    # --- what is known ---

    def _known(self, weights: str | None) -> Processes:
        """Those that were found by the last search and are still there."""
        server = self._alive(self._server) if self._server else None
        if server is None:
            return Processes(None, None, ())
        alive = [process for each in self._runners if (process := self._alive(each))]
        own = self._own(alive, weights)
        return Processes(server, own, tuple(each for each in alive if each is not own))

    def _own(self, alive: list[Process], weights: str | None) -> Process | None:
        if weights is None:
            return alive[0] if len(alive) == 1 else None
        own = [each for each in alive if self._runners[each.identity].weights == weights]
        # While one takes another's place there may be two; the newer stays.
        return max(own, key=lambda each: each.started, default=None)

    def _alive(self, identity: Identity) -> Process | None:
        pid, started = identity
        stat = self._files.stat(pid)
        if stat is None or stat.started != started:
            return None
        cpu_seconds = stat.cpu_ticks / _TICKS_PER_SECOND
        return Process(pid, started, stat.life, cpu_seconds, stat.page_reads)

    # --- the search ---

    def _search(self, weights: str | None) -> None:
        """Finds the server, if it is not there any more, and its runners."""
        self._searched_at = self._clock()
        servers, children = self._candidates()
        if self._server is None or self._alive(self._server) is None:
            self._server = self._choose(servers, children, weights)
        if self._server is not None:
            server, _ = self._server
            self._runners = {
                each.identity: each.runner for each in children if each.parent == server
            }

    def _candidates(self) -> tuple[list[int], list[_Child]]:
        servers, children = [], []
        for pid in self._files.pids():
            command = self._files.command(pid)
            if is_server(command):
                servers.append(pid)
            elif (runner := parse_runner(command)) and (stat := self._files.stat(pid)):
                children.append(_Child((pid, stat.started), stat.parent, runner))
        return servers, children

    def _choose(
        self, servers: list[int], children: list[_Child], weights: str | None
    ) -> Identity | None:
        """The one server that can be meant. If there are several, that puts them out of sight."""
        hinted = self._hinted()
        servers = [hinted] if hinted else self._listeners(servers) or self._parents(children)
        if len(servers) > 1:
            parents = {each.parent for each in children if each.runner.weights == weights}
            servers = [pid for pid in servers if pid in parents]
            if len(servers) != 1:
                self.out_of_sight = _SEVERAL_SERVERS
                return None
        if not servers:
            # One that had been in sight is known to be gone.
            self.out_of_sight = self.out_of_sight and _NO_SERVER
            return None
        stat = self._files.stat(servers[0])
        return (servers[0], stat.started) if stat else None

    def _hinted(self) -> int | None:
        """The server that was told; once, for later its number may be that of anybody."""
        hint, self._hint = self._hint, None
        if hint is None or self._files.stat(hint):
            return hint
        self.told_wrong = (
            f"there is no process {hint}, which --ollama-pid names: Ollama's is searched for"
        )
        _log.warning("wrong process told", extra={"sentence": self.told_wrong})
        return None

    def _listeners(self, servers: list[int]) -> list[int]:
        """Those that listen on the server's port, or else those of which nobody may know it."""
        if self._port is None or not servers:
            return servers
        inodes = self._files.listening(self._port)
        listens = {pid: self._files.holds(pid, inodes) for pid in servers}
        sure = [pid for pid in servers if listens[pid]]
        return sure or [pid for pid in servers if listens[pid] is None]

    def _parents(self, children: list[_Child]) -> list[int]:
        """Whoever started a runner and surely listens on the port: Ollama under another name."""
        if self._port is None:
            return []
        inodes = self._files.listening(self._port)
        parents = {each.parent for each in children}
        return [pid for pid in parents if self._files.holds(pid, inodes)]


class ExitWatch:
    """Tells at once when a process that it follows has ended, however that came about.

    It holds a pidfd for each, which the event loop waits for. Where pidfds are refused, the next
    look tells instead.
    """

    def __init__(self, on_exit: Callable[[Process], None]) -> None:
        self.unavailable: str | None = None
        """Why an end is not told at once, in a sentence for a person."""
        self._on_exit = on_exit
        self._held: dict[Identity, int] = {}
        self._files = ProcessFiles()

    def follow(self, processes: Processes | None) -> None:
        """Follows the server and this model's runner, and nobody else any more."""
        wanted = (
            [each for each in (processes.server, processes.runner) if each] if processes else []
        )
        for identity in self._held.keys() - {process.identity for process in wanted}:
            self._release(identity)
        for process in wanted:
            if process.identity not in self._held:
                self._hold(process)

    def close(self) -> None:
        """Follows nobody any more."""
        self.follow(None)

    def _hold(self, process: Process) -> None:
        loop = asyncio.get_running_loop()
        try:
            pidfd = self._open(process)
        except (AttributeError, OSError) as error:
            self.unavailable = f"no pidfd can be had for process {process.pid}: {error}"
            return
        self.unavailable = None
        if pidfd is None:
            loop.call_soon(self._on_exit, process)
            return
        self._held[process.identity] = pidfd
        loop.add_reader(pidfd, self._ended, process)

    def _open(self, process: Process) -> int | None:
        """A pidfd; None where the process has ended."""
        try:
            pidfd = os.pidfd_open(process.pid)
        except ProcessLookupError:
            return None
        # The number may have passed to another process since the look; from now on it cannot.
        try:
            stat = self._files.stat(process.pid)
        except OSError:
            os.close(pidfd)
            raise
        if stat is None or stat.started != process.started:
            os.close(pidfd)
            return None
        return pidfd

    def _ended(self, process: Process) -> None:
        self._release(process.identity)
        self._on_exit(process)

    def _release(self, identity: Identity) -> None:
        pidfd = self._held.pop(identity)
        asyncio.get_running_loop().remove_reader(pidfd)
        os.close(pidfd)
