"""What this machine has for a pod to run on: an Ollama, the sidecar, GPUs, a folder of models."""

import importlib.util
import os
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from urllib.parse import urlsplit

from stoker_api import wire
from stoker_operator.errors import StokerError
from stoker_operator.local.plan import Machine, Server

SIMULATED = "simulator"
"""What to ask for to have the simulator, also where there is an Ollama."""

_PROGRAM = "ollama"
_SIDECAR = "stoker-sidecar"
_SIMULATOR = "stoker_simulator"

# What the spec decides, and what would make a process believe that it is in a pod.
_NOT_INHERITED = ("OLLAMA_", "STOKER_", "KUBERNETES_")
_INHERITED = ("STOKER_SIMULATOR",)


def machine(asked: str | None, state: Path) -> Machine:
    """This machine, with the Ollama that was asked for, or the one that is found."""
    if sys.platform != "linux":
        raise StokerError(
            "`stoker up` needs Linux: its sidecars see by /proc whether a model is alive. Elsewhere"
            " run it in a virtual machine or a container"
        )
    server = _server(asked, state)
    own = state / "models"
    return Machine(
        server=server,
        sidecar=_sidecar(),
        environment=_environment(os.environ),
        models=str(own if server.is_simulator else _models(os.environ)),
        gpus=_gpus(),
    )


def _server(asked: str | None, state: Path) -> Server:
    if asked is None:
        found = shutil.which(_PROGRAM)
        return Server(found) if found else _simulator(state)
    if asked == SIMULATED:
        return _simulator(state)
    if "://" in asked:
        return _attached(asked)
    path = shutil.which(asked)
    if path is None:
        raise StokerError(
            f"--ollama {asked}: there is no such program; give the path of `ollama`, or the URL of"
            " one that runs, such as http://127.0.0.1:11434"
        )
    if Path(path).name != _PROGRAM:
        raise StokerError(f"--ollama {asked}: the program has to be called `{_PROGRAM}`")
    return Server(str(Path(path).absolute()))


def _attached(url: str) -> Server:
    refusal = StokerError(f"--ollama {url}: must be like http://127.0.0.1:11434 (http alone)")
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise refusal from error
    if parts.scheme != "http" or not host:
        raise refusal
    return Server(url, address=(host, port or wire.OLLAMA_PORT))


def _sidecar() -> tuple[str, ...]:
    beside = Path(sys.executable).with_name(_SIDECAR)
    found = str(beside) if beside.exists() else shutil.which(_SIDECAR)
    if found is None:
        raise StokerError(
            f"{_SIDECAR} is not installed: install it where `stoker` is, from the folder sidecar/"
        )
    return (found,)


# --- the simulator ------------------------------------------------------------------------------


def _simulator(state: Path) -> Server:
    """The simulator as a program `ollama`: `ollama serve` is Python with the script `serve`.

    So it looks like Ollama where processes are listed, which is how the sidecar finds it. The
    simulator's own image does the same.
    """
    spec = importlib.util.find_spec(_SIMULATOR)
    if spec is None or spec.origin is None:
        raise StokerError(
            "there is no `ollama` on PATH, and no simulator in its place: install Ollama"
            " (https://ollama.com/download), name one with --ollama, or install tests/simulator"
        )
    folder = state / "simulator"
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    python = Path(sys.executable).resolve()
    _link(folder / _PROGRAM, python)
    _link(folder / "serve", Path(spec.origin).with_name("__main__.py"))
    # A virtual environment of its own: what is imported is what the path below says.
    home = f"home = {python.parent}\ninclude-system-site-packages = false\n"
    (folder / "pyvenv.cfg").write_text(home)
    search = (("PYTHONPATH", os.pathsep.join(sys.path)), ("PYTHONSAFEPATH", "1"))
    return Server(str(folder / _PROGRAM), folder=str(folder), environment=search, is_simulator=True)


def _link(link: Path, target: Path) -> None:
    """A link to the target, also where one to another place was; never none in between."""
    fresh = link.with_name(f".{link.name}.{os.getpid()}")
    fresh.symlink_to(target)
    fresh.replace(link)


# --- surroundings -------------------------------------------------------------------------------


def _environment(own: Mapping[str, str]) -> dict[str, str]:
    """What processes inherit: the machine's ways (PATH, proxies, CUDA), and no settings."""
    return {
        name: value
        for name, value in own.items()
        if name in _INHERITED or not name.startswith(_NOT_INHERITED)
    }


def _models(own: Mapping[str, str]) -> Path:
    """Ollama's own folder of models: nothing is downloaded twice."""
    return Path(own.get("OLLAMA_MODELS") or Path.home() / ".ollama" / "models")


def _gpus() -> int:
    """How many NVIDIA GPUs there are."""
    return sum(each.name.removeprefix("nvidia").isdecimal() for each in Path("/dev").iterdir())


def named(server: Server) -> str:
    """The Ollama, for a person."""
    if server.is_simulator:
        return "the simulator"
    return server.path
