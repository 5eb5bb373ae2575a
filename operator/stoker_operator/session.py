"""Connections to an API server, as kubectl would make them: for our own client, and for kopf."""

import ssl

import aiohttp

from stoker_operator import VERSION
from stoker_operator.api_errors import NoClusterError
from stoker_operator.connection import Connection

_IDLE_SECONDS = 60.0
"""A new connection costs more than a request."""
_LONGEST_LINE = 2 * 1024 * 1024
"""Of a watch: one object."""


def opened(connection: Connection, connections: int) -> aiohttp.ClientSession:
    """A session, to be closed by who asked for it. This alone makes no request."""
    return aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(
            limit=connections, ssl=_tls(connection), keepalive_timeout=_IDLE_SECONDS
        ),
        headers=headers(connection),
        proxy=connection.proxy,
        cookie_jar=aiohttp.DummyCookieJar(),
        read_bufsize=_LONGEST_LINE,
        trust_env=False,  # would read ~/.netrc, in a thread, for every request
    )


def headers(connection: Connection) -> dict[str, str]:
    """Who we are, and in what form we want answers."""
    about = {
        "Accept": "application/json",
        # To pack a list takes the API server longer than to send it.
        "Accept-Encoding": "identity",
        "User-Agent": f"stoker-operator/{VERSION}",
    }
    who = connection.authorization
    return about | ({"Authorization": who} if who else {})


class _Context(ssl.SSLContext):
    """Takes authorities that kubectl takes and Python's strictness since 3.13 would refuse."""

    server_name: str | None = None
    """What the server's certificate has to say, where that is not its address."""

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - as it is there
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        name = self.server_name or server_hostname
        return super().wrap_bio(incoming, outgoing, server_side, name, session)


def _tls(connection: Connection) -> ssl.SSLContext:
    context = _Context(ssl.PROTOCOL_TLS_CLIENT)
    context.server_name = connection.tls_server_name
    try:
        if connection.ca_file:
            context.load_verify_locations(connection.ca_file)
        else:
            context.load_default_certs()
        if connection.certificate_file:
            context.load_cert_chain(connection.certificate_file, connection.key_file)
    except (ssl.SSLError, OSError) as error:
        raise NoClusterError(
            f"the certificates for {connection.server} cannot be used ({error}): look at the"
            " certificate-authority, client-certificate and client-key of the kubeconfig"
        ) from error
    if connection.insecure:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
