"""What processes say, kept in files of bounded size."""

import contextlib
import io
import logging
from pathlib import Path

from stoker_api import logs

MOST_BYTES = 8 * 1024 * 1024


class LogFile:
    """Appends to a file; one that is too large becomes `NAME.1`, in the place of the last."""

    def __init__(self, path: Path, most_bytes: int = MOST_BYTES) -> None:
        self._path = path
        self._most_bytes = most_bytes
        self._file = self._open()

    def write(self, data: bytes) -> None:
        # On a full disk words are lost, and nothing else.
        with contextlib.suppress(OSError):
            if self._file.tell() + len(data) > self._most_bytes:
                self._path.replace(older(self._path))
                self._file.close()
                self._file = self._open()
            self._file.write(data)

    def _open(self) -> io.FileIO:
        return io.FileIO(self._path, "ab")

    def close(self) -> None:
        self._file.close()


class Record(logging.Handler):
    """What `stoker up` itself says of one LLMDeployment, beside what its processes say."""

    def __init__(self, path: Path, name: str) -> None:
        super().__init__()
        self.setFormatter(logs.Terminal())
        self._file = LogFile(path)
        self._name = name

    def filter(self, record: logging.LogRecord) -> bool:
        return record.__dict__.get("llm") == self._name

    def emit(self, record: logging.LogRecord) -> None:
        self._file.write(f"{self.format(record)}\n".encode())

    def close(self) -> None:
        self._file.close()
        super().close()


def older(path: Path) -> Path:
    """Where the part before the newest is."""
    return path.with_name(f"{path.name}.1")
