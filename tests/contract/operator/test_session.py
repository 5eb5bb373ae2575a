"""Connections to an API server: whom they trust, and what they say."""

import asyncio
import ssl
from collections.abc import Mapping
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web

from bed.certificates import make_authority, make_certificate
from stoker_operator.api_errors import NoClusterError
from stoker_operator.connection import Connection
from stoker_operator.session import opened

_MINE = {"certificate_file": "crt", "key_file": "key"}


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An authority's, and those of a server that is called api.internal, and of a client."""
    folder = tmp_path_factory.mktemp("certificates") / "pki"
    make_authority(folder)
    make_certificate(folder, "server", "server", addresses=("DNS:api.internal",))
    make_certificate(folder, "me", "me")
    return folder


def asked(certificates: Path, **how: str | bool) -> Mapping[str, str]:
    """The headers of a request that arrives there."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH, cafile=certificates / "ca.crt")
    context.load_cert_chain(certificates / "server.crt", certificates / "server.key")
    context.verify_mode = ssl.CERT_OPTIONAL

    async def answer(request: web.Request) -> web.Response:
        transport = request.transport
        subject = transport.get_extra_info("peercert") if transport else None
        headers = {name.lower(): value for name, value in request.headers.items()}
        return web.json_response(headers | {"certificate": str(subject or "")})

    async def story() -> Mapping[str, str]:
        application = web.Application()
        application.router.add_get("/", answer)
        runner = web.AppRunner(application)
        await runner.setup()
        try:
            await web.TCPSite(runner, "127.0.0.1", 0, ssl_context=context).start()
            server = f"https://127.0.0.1:{runner.addresses[0][1]}"
            connection = Connection(server, **how)  # type: ignore[arg-type]
            async with opened(connection, 1) as session, session.get(server) as found:
                headers: dict[str, str] = await found.json()
                return headers
        finally:
            await runner.cleanup()

    return asyncio.run(story())


def test_the_servers_certificate_has_to_be_for_the_name_that_the_kubeconfig_says(
    certificates: Path,
) -> None:
    authority = str(certificates / "ca.crt")
    assert asked(certificates, ca_file=authority, tls_server_name="api.internal")
    for wrong in ({"tls_server_name": "api.example"}, {}):
        with pytest.raises(aiohttp.ClientConnectorCertificateError):
            asked(certificates, ca_file=authority, **wrong)


def test_an_authority_that_nobody_has_named_is_not_trusted(certificates: Path) -> None:
    with pytest.raises(aiohttp.ClientConnectorCertificateError):
        asked(certificates, tls_server_name="api.internal")
    assert asked(certificates, insecure=True)


def test_an_answer_is_wanted_as_it_is_from_whoever_the_token_says_we_are(
    certificates: Path,
) -> None:
    said = asked(certificates, insecure=True, authorization="Bearer one")
    assert said["authorization"] == "Bearer one"
    assert said["accept-encoding"] == "identity"
    assert said["accept"] == "application/json"
    assert said["user-agent"].startswith("stoker-operator/")


def test_a_certificate_says_who_we_are(certificates: Path) -> None:
    mine = {name: str(certificates / f"me.{end}") for name, end in _MINE.items()}
    assert "'me'" in asked(certificates, insecure=True, **mine)["certificate"]
    assert not asked(certificates, insecure=True)["certificate"]


def test_certificates_that_cannot_be_used_are_an_error_that_says_where_to_look(
    certificates: Path,
) -> None:
    broken = certificates / "broken.crt"
    broken.write_text("no certificate")
    for how in ({"ca_file": str(broken)}, {"ca_file": str(certificates / "missing.crt")}):
        with pytest.raises(NoClusterError, match="certificate-authority"):
            asked(certificates, **how)
