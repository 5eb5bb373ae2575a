"""The way into a cluster that a kubeconfig names, with all the ways to sign in that there are."""

import asyncio

import aiohttp
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config

from stoker_operator.api_errors import NoClusterError
from stoker_operator.connection import Connection

_SIGN_IN_SECONDS = 30.0
"""For a kubeconfig whose token another program fetches."""
_UNUSABLE = (
    ConfigException,
    OSError,
    yaml.YAMLError,
    aiohttp.ClientError,
    # The library takes a kubeconfig for well-formed, and falls over what is not.
    ValueError,
    TypeError,
    LookupError,
    AttributeError,
)


async def connection(files: str, context: str | None) -> Connection:
    """The way in; a token that a program fetches is fetched anew."""
    found = Configuration()
    try:
        async with asyncio.timeout(_SIGN_IN_SECONDS):
            await load_kube_config(files, context, found, persist_config=False)
            header: str | None = await found.get_api_key_with_prefix("BearerToken")
    except TimeoutError as error:
        raise NoClusterError(
            f"the program that the kubeconfig {files} names for a token has not answered"
            f" within {_SIGN_IN_SECONDS:g} s: run it by hand once, it may ask something"
        ) from error
    except _UNUSABLE as error:
        raise NoClusterError(
            f"the kubeconfig {files} cannot be used ({error}): `kubectl config view"
            f" --kubeconfig {files}` shows what is in it"
        ) from error
    scheme, _, token = (header or "").partition(" ")
    return Connection(
        server=found.host,
        ca_file=found.ssl_ca_cert,
        certificate_file=found.cert_file,
        key_file=found.key_file,
        authorization=f"{scheme.capitalize()} {token.strip()}" if header else None,
        insecure=not found.verify_ssl,
        tls_server_name=found.tls_server_name,
    )
