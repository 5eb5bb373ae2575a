"""What can go wrong with the API server.

ClusterError            the base
  NoClusterError        nothing says which cluster, or how to get in
  UnreachableError      no answer, or none that can be understood: nobody knows what was carried out
  ApiError              the API server said no
    ConflictError       (409) the object is there already, or is not what it was
"""

from stoker_operator.errors import StokerError


class ClusterError(StokerError):
    """The base."""


class NoClusterError(ClusterError):
    """Nothing says which cluster, or how to get in."""


class UnreachableError(ClusterError):
    """No answer, or none that can be understood: nobody knows what was carried out."""


class ApiError(ClusterError):
    """The API server said no."""

    def __init__(
        self, status: int, reason: str, message: str, retry_after_seconds: float | None = None
    ) -> None:
        super().__init__(f"the API server says {status} {reason}: {message}")
        self.status = status
        self.reason = reason
        """Kubernetes' own word, such as `Forbidden` or `AlreadyExists`."""
        self.message = message
        self.retry_after_seconds = retry_after_seconds


class ConflictError(ApiError):
    """The object is there already, or is not what it was."""
