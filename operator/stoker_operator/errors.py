"""What can go wrong, for the person at the terminal.

StokerError              the base: its text is all that is shown
  UnreadableFileError    a file that is not there, or is not YAML
  InvalidDocumentsError  documents that break the API; one line for each problem
"""


class StokerError(Exception):
    """An error whose text tells a person what to do."""


class UnreadableFileError(StokerError):
    """A file that is not there, or is not YAML."""


class InvalidDocumentsError(StokerError):
    """Documents that break the API."""

    def __init__(self, lines: list[str]) -> None:
        super().__init__("\n".join(lines))
        self.lines = lines
