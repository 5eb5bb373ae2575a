"""Who plays: the simulator, or a real Ollama with models that are made on the spot."""

import os
import shutil
from dataclasses import dataclass
from pathlib import Path

from stoker_api.resource import LLMDeployment
from stoker_demo.clients import Traffic
from stoker_demo.errors import DemoError
from stoker_demo.story import REAL, SIMULATED, Story
from stoker_operator.intake import checked
from stoker_operator.local.machine import SIMULATED as SIMULATED_SERVER

_FOLDER = Path(__file__).parents[1]
_OLLAMA = "ollama"


@dataclass(frozen=True)
class Cast:
    """What is played, and with whom."""

    server: str
    """For people."""
    file: Path
    """The LLMDeployment."""
    rival: str
    """The model that evicts it."""
    story: Story
    traffic: Traffic
    ollama: str
    """The program, or the word for the simulator."""

    @property
    def flags(self) -> tuple[str, ...]:
        """For `stoker up`."""
        return (f"--ollama={self.ollama}",)

    @property
    def replicas(self) -> int:
        return self.resource().spec.replicas

    def resource(self) -> LLMDeployment:
        (resource,) = checked([str(self.file)])
        if not isinstance(resource, LLMDeployment):
            raise DemoError(f"{self.file} is no LLMDeployment")
        return resource.in_namespace("default")


def simulated() -> Cast:
    """The simulator, even where there is an Ollama."""
    return Cast(
        server="the simulator",
        ollama=SIMULATED_SERVER,
        file=_FOLDER / "simulated.yaml",
        rival="tinyllama",
        story=SIMULATED,
        traffic=Traffic(per_second=10, words=24),
    )


def real(asked: str, folder: Path) -> Cast:
    """The Ollama at this path, or the one on PATH where it is called `real`."""
    # Only here: the writer of models is the test bed's, and needs its packages.
    from bed import models  # noqa: PLC0415

    path = shutil.which(_OLLAMA if asked == "real" else asked)
    if path is None:
        raise DemoError(
            "there is no `ollama` on PATH: install it (https://ollama.com/download), or say where"
            " it is, such as `make demo OLLAMA=/opt/ollama/bin/ollama`"
            if asked == "real"
            else f"{asked} is no program; `make demo OLLAMA=PATH` takes the path of `ollama`"
        )
    for name, model in (("tiny", models.tiny()), ("other", models.other())):
        model.install(folder, name)
    os.environ["OLLAMA_MODELS"] = str(folder)
    return Cast(
        server=path,
        file=_FOLDER / "real.yaml",
        rival="other",
        story=REAL,
        # Four models are on this machine's processors now. A request that asked for other threads
        # than its LLMDeployment does would have the model loaded anew.
        traffic=Traffic(per_second=4, words=8, threads=1),
        ollama=path,
    )
