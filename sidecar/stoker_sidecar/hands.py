"""What the sidecar can do to Ollama's processes, as another user and without any privilege.

In a pod the ollama container's entry script does it, when told through a FIFO that both containers
share. On one machine the kernel allows it to a sidecar that runs as Ollama's own user, or as root;
a restart is then the business of whoever started Ollama.
"""

import os
import signal
import stat
from pathlib import Path

from stoker_api.wire import END_WORD, HANDS_FIFO, RESTART_WORD
from stoker_sidecar.errors import SidecarError


class HandsError(SidecarError):
    """Something that could not be done; says why."""


class Hands:
    """Ends a runner, or Ollama as a whole."""

    def __init__(self, folder: Path) -> None:
        self._fifo = folder / HANDS_FIFO

    def can_restart(self) -> bool:
        try:
            return stat.S_ISFIFO(self._fifo.stat().st_mode)
        except OSError:
            return False

    def can_signal(self, pid: int) -> bool:
        """Whether the kernel lets this user end the process."""
        try:
            os.kill(pid, 0)
        except OSError:
            return False
        return True

    def kill(self, pid: int) -> None:
        """Ends a process, even one that is stopped."""
        if self.can_restart():
            self._tell(f"{END_WORD} {pid}")
            return
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # it has ended by itself
        except OSError as error:
            raise HandsError(f"process {pid} could not be ended: {error.strerror}") from error

    def restart(self) -> None:
        """Ends Ollama and all its runners; whoever started it starts it again."""
        self._tell(RESTART_WORD)

    def _tell(self, words: str) -> None:
        # Without O_NONBLOCK this would wait for ever for an ollama container that is not there.
        try:
            fifo = os.open(self._fifo, os.O_WRONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            raise HandsError(
                f"nobody listens at {self._fifo} ({error.strerror}): does the ollama container run?"
            ) from error
        try:
            os.write(fifo, f"{words}\n".encode())
        except OSError as error:
            raise HandsError(f"{self._fifo} takes no word: {error.strerror}") from error
        finally:
            os.close(fifo)
