"""What `stoker-sidecar run` was told."""

from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

from stoker_api import wire

_LOCAL_HOSTS = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Orders:
    """All of it, checked."""

    pod: wire.Arguments
    heat: Path | wire.HeatConfig
    """A file that is read anew when it changes, or what holds from start to end."""
    ollama_url: str
    listen: str
    hands: Path
    """The folder that is shared with the ollama container."""
    record: Path | None
    gpu_devices: tuple[str, ...] | None
    """None: those that the ollama container was given."""
    server_pid: int | None
    sees_processes: bool

    @property
    def is_beside(self) -> bool:
        """Whether Ollama is on this machine, and its processes may be looked at."""
        return self.sees_processes and urlsplit(self.ollama_url).hostname in _LOCAL_HOSTS
