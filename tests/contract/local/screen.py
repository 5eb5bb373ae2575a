"""A program at a terminal."""

import os
import pty
import signal
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress

_SIZE = {"COLUMNS": "160", "LINES": "40"}


class Screen:
    """What the program shows, and the keyboard."""

    def __init__(self, process: "subprocess.Popen[bytes]", terminal: int) -> None:
        self._process = process
        self._terminal = terminal
        self._shown = b""
        self._reading = threading.Thread(target=self._read)
        self._reading.start()

    def shown(self) -> str:
        """All that came, control characters included."""
        return self._shown.decode("utf-8", "replace")

    def type(self, keys: str) -> None:
        os.write(self._terminal, keys.encode())

    def has_ended(self) -> bool:
        return self._process.poll() is not None

    def close(self) -> None:
        if not self.has_ended():
            self._process.send_signal(signal.SIGKILL)
        self._process.wait(10)
        self._reading.join(10)
        os.close(self._terminal)

    def _read(self) -> None:
        with suppress(OSError):  # EIO: nobody has the other end any more
            while data := os.read(self._terminal, 65536):
                self._shown += data


@contextmanager
def terminal(command: list[str], environment: Mapping[str, str]) -> Iterator[Screen]:
    """The command, at a terminal of its own."""
    ours, its = pty.openpty()
    process = subprocess.Popen(
        # `setsid -c` gives it the terminal, so that Ctrl-C is a signal to it.
        ["setsid", "--ctty", "--wait", *command],
        env={**environment, **_SIZE},
        stdin=its,
        stdout=its,
        stderr=its,
    )
    os.close(its)
    screen = Screen(process, ours)
    try:
        yield screen
    finally:
        screen.close()
