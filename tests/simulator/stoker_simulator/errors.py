"""What can go wrong, from bad files to requests that are refused.

SimulatorError       anything below
  UsageError         a bad option, scenario, fault or control request; says where, and what exists
  ApiError           an answer that is not 200; holds the status and Ollama's words
  RunnerGoneError    the runner's process ended, or no longer answers
"""


class SimulatorError(Exception):
    """Any error of this program's own."""


class UsageError(SimulatorError):
    """A bad option, scenario, fault or control request."""


class ApiError(SimulatorError):
    """A request that Ollama refuses."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class RunnerGoneError(SimulatorError):
    """The runner's process ended, or no longer answers."""
