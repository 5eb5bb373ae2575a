"""What a client needs to know to get into a cluster."""

from dataclasses import dataclass, field, replace
from functools import cached_property
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass


@dataclass(frozen=True)
class Connection:
    """The way into a cluster, as it is now."""

    server: str
    ca_file: str | None = None
    certificate_file: str | None = None
    key_file: str | None = None
    authorization: str | None = field(default=None, repr=False)
    """The header; None where a certificate says who we are."""
    insecure: bool = False
    tls_server_name: str | None = None
    lasts_seconds: float | None = None
    """Then it is to be looked up anew; None: when it is refused."""

    def is_by_the_way_of(self, other: "Connection") -> bool:
        """Whether only what says who we are has changed."""
        return replace(self, authorization=None) == replace(other, authorization=None)

    @cached_property
    def proxy(self) -> str | None:
        """What HTTPS_PROXY and NO_PROXY say about the API server."""
        url = urlsplit(self.server)
        return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)
