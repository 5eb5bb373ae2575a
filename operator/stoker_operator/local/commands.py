"""What `stoker up`, `down`, `status`, `logs` and `why` do."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import signal
import sys
import time

from stoker_api import logs as logging_style
from stoker_api.codec import encode
from stoker_operator.errors import StokerError
from stoker_operator.local import account, detaching, state, tailing, view
from stoker_operator.local.machine import machine, named
from stoker_operator.local.up import Address, Orders, Up, key, resources_of

_DRAWN_SECONDS = 0.25
_STEP_SECONDS = 0.05
_MARGIN_SECONDS = 30.0
"""What `down` waits beyond the longest grace period."""
_HIGHEST_PORT = 65535


# --- up -----------------------------------------------------------------------------------------


def up(arguments: argparse.Namespace) -> int:
    """Runs LLMDeployments on this machine until it is told to end."""
    root = state.state_folder(arguments.state)
    orders = Orders(
        files=tuple(arguments.files),
        namespace=arguments.namespace,
        machine=machine(arguments.ollama, root),
        root=root,
        addresses=dict(map(_address, arguments.listen)),
    )
    if arguments.detach:
        keys = [key(each) for each in resources_of(orders)]
        print(detaching.detach(arguments, root, keys))
        return 0
    running = Up(orders)
    live = _say(running, silent=arguments.silent)
    _introduce(orders)

    async def shown() -> None:
        drawing = asyncio.create_task(_draw(live)) if live else None
        try:
            await running.run()
        finally:
            if drawing:
                drawing.cancel()

    asyncio.run(shown())
    return 0


def _say(running: Up, *, silent: bool) -> view.LiveView | None:
    """Where log lines go: to a terminal with a table below them, elsewhere as they are."""
    logging.getLogger().setLevel(logging.INFO)
    if silent:
        logging.getLogger().addHandler(logging.NullHandler())
        return None
    if sys.stdout.isatty():
        live = view.LiveView(running.statuses)
        logging.getLogger().addHandler(live)
        return live
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(logging_style.Terminal())
    logging.getLogger().addHandler(handler)
    return None


async def _draw(live: view.LiveView) -> None:
    while True:
        live.draw()
        await asyncio.sleep(_DRAWN_SECONDS)


def _introduce(orders: Orders) -> None:
    """Says by what the models are served, loudly where that is not an Ollama."""
    log, on = logging.getLogger(__name__), orders.machine
    if on.server.is_simulator:
        sentence = (
            "there is no `ollama` on PATH, so the SIMULATOR stands in: it behaves like Ollama and"
            " talks nonsense. Install Ollama, or name one with --ollama, for a real model"
        )
        log.warning("no Ollama", extra={"sentence": sentence})
    elif on.server.is_attached:
        log.info("Ollama runs already", extra={"sentence": f"it is at {on.server.path}"})
    else:
        sentence = f"{named(on.server)}, with the models in {on.models}"
        log.info("Ollama found", extra={"sentence": sentence})


def _address(text: str) -> tuple[str, Address]:
    name, equals, where = text.rpartition("=")
    host, colon, port = where.rpartition(":")
    if not (colon and host and port.isdecimal() and int(port) <= _HIGHEST_PORT):
        raise StokerError(f"--listen {text}: write [NAME=]HOST:PORT, such as 127.0.0.1:11434")
    return (name if equals else ""), Address(host.strip("[]"), int(port))


# --- the others ---------------------------------------------------------------------------------


def down(arguments: argparse.Namespace) -> int:
    """Ends what runs, and returns when it has ended."""
    running = _running(arguments.state)
    asked = [_named(running, name) for name in arguments.names] or running
    pids = {owner.pid for folder in asked if (owner := folder.owner())}
    # One `stoker up` may run others besides: they end with it, and are named.
    ended = [folder for folder in running if (own := folder.owner()) and own.pid in pids]
    for pid in pids:
        os.kill(pid, signal.SIGQUIT if arguments.now else signal.SIGTERM)
    for folder in ended:
        _until_ended(folder)
    print(f"ended: {', '.join(folder.key for folder in ended)}" if ended else "nothing runs")
    return 0


def _until_ended(folder: state.Folder) -> None:
    status = folder.status()
    deadline = time.monotonic() + (status.grace_seconds if status else 0) + _MARGIN_SECONDS
    while folder.is_held():
        if time.monotonic() > deadline:
            raise StokerError(f"{folder.key} has not ended: `stoker down --now` does not wait")
        time.sleep(_STEP_SECONDS)


def status(arguments: argparse.Namespace) -> int:
    """Shows what runs."""
    statuses = [each for folder in _running(arguments.state) if (each := folder.status())]
    if arguments.output == "json":
        print(json.dumps([encode(each) for each in statuses], indent=2))
    else:
        lines = view.table(statuses) if statuses else ["nothing runs: stoker up -f FILE"]
        print("\n".join(lines))
    return 0


def logs(arguments: argparse.Namespace) -> int:
    """Prints what processes say; with `--follow` until Ctrl-C."""
    folder = _named(list(state.folders(state.state_folder(arguments.state))), arguments.name)
    wanted = tailing.Selection(arguments.process, arguments.replica, arguments.tail)
    with contextlib.suppress(KeyboardInterrupt):
        for line in tailing.lines(folder.logs, wanted, follow=arguments.follow):
            print(line, flush=arguments.follow)
    return 0


def why(arguments: argparse.Namespace) -> int:
    """Says of each replica how it is, and what came before."""
    found = _named(_running(arguments.state), arguments.name).status()
    if found is None:
        raise StokerError(f"{arguments.name} has only just begun: ask again")
    print("\n".join(account.account(found)))
    return 0


def _running(asked: str | None) -> list[state.Folder]:
    root = state.state_folder(asked)
    return [folder for folder in state.folders(root) if folder.is_held()]


def _named(folders: list[state.Folder], name: str) -> state.Folder:
    """The one that is meant, by NAME or by NAMESPACE.NAME."""
    meant = [each for each in folders if name in (each.key, each.key.partition(".")[2])]
    if len(meant) == 1:
        return meant[0]
    there = ", ".join(each.key for each in meant or folders) or "nothing"
    problem = "could be several" if meant else "is none of those that are here"
    raise StokerError(f"{name} {problem}: {there}")
