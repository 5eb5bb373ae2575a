"""Looks at a server's processes and connections as another user without any privilege.

Run as a script: the numbers of the server's process and port are its arguments. It prints what it
sees, then waits for the runner's end, and prints that.
"""

import asyncio
import json
import os
import sys
from pathlib import Path
from typing import Any

from stoker_api.codec import encode
from stoker_sidecar.heat.observation import Process
from stoker_sidecar.runner import ExitWatch, OllamaProcesses
from stoker_sidecar.sockets import OllamaConnections


def say(**what: Any) -> None:
    print(json.dumps(what), flush=True)  # noqa: T201


def may_read_environment(pid: int) -> bool:
    try:
        return bool(Path(f"/proc/{pid}/environ").read_bytes())
    except PermissionError:
        return False


async def main(server_pid: int, port: int) -> None:
    ended: asyncio.Future[Process] = asyncio.get_running_loop().create_future()
    processes, connections = OllamaProcesses(server_pid=server_pid), OllamaConnections(port)
    watch = ExitWatch(ended.set_result)
    seen = processes.look(None)
    watch.follow(seen)
    say(
        user=os.getuid(),
        mayReadEnvironment=may_read_environment(server_pid),
        processes=encode(seen),
        traffic=encode(connections.look(processes.runner_port)),
        unavailable=watch.unavailable,
    )
    say(ended=(await asyncio.wait_for(ended, 60)).pid)
    watch.close()
    connections.close()


if __name__ == "__main__":
    asyncio.run(main(*map(int, sys.argv[1:])))
