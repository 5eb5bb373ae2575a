"""The way into a cluster: a pod's ServiceAccount, or a person's kubeconfig.

Looked for where Kubernetes' own tools look, in their order: the kubeconfig that is named by
argument or by KUBECONFIG, the pod's ServiceAccount, `~/.kube/config`.
"""

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import yaml
from kubernetes.aio.client import Configuration
from kubernetes.aio.config import ConfigException, load_kube_config
from kubernetes.aio.config.incluster_config import InClusterConfigLoader

from stoker_operator.api_errors import NoClusterError

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
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


@dataclass(frozen=True)
class Connection:
    """The way into a cluster, for a client of another library."""

    server: str
    ca_file: str | None
    certificate_file: str | None
    key_file: str | None
    scheme: str | None
    """Of the Authorization header, such as `Bearer`."""
    token: str | None = field(repr=False)
    insecure: bool
    tls_server_name: str | None
    proxy: str | None


@dataclass(frozen=True)
class Access:
    """Where the way in is looked for."""

    kubeconfig: str | None = None
    context: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    service_account: Path = SERVICE_ACCOUNT

    async def configuration(self) -> Configuration:
        """The way in as it is now. A ServiceAccount's token goes on to follow its file."""
        found = Configuration()
        # kubectl accepts authorities that Python's strictness since 3.13 refuses.
        found.disable_strict_ssl_verification = True
        named = self.kubeconfig or self.environment.get("KUBECONFIG")
        if not (named or self.context) and self.environment.get("KUBERNETES_SERVICE_HOST"):
            self._from_service_account(found)
        else:
            await self._from_kubeconfig(found, named)
        found.proxy = found.proxy or _proxy(found.host)
        return found

    async def connection(self) -> Connection:
        """The same for another library's client, which has to ask again when it is refused."""
        found = await self.configuration()
        scheme, _, token = (await authorization(found) or "").partition(" ")
        return Connection(
            server=found.host,
            ca_file=found.ssl_ca_cert,
            certificate_file=found.cert_file,
            key_file=found.key_file,
            scheme=scheme or None,
            token=token or None,
            insecure=not found.verify_ssl,
            tls_server_name=found.tls_server_name,
            proxy=found.proxy,
        )

    def _from_service_account(self, found: Configuration) -> None:
        token, authority = (str(self.service_account / name) for name in ("token", "ca.crt"))
        try:
            InClusterConfigLoader(token, authority, environ=self.environment).load_and_set(found)
        except (ConfigException, OSError) as error:
            raise NoClusterError(
                f"this pod's ServiceAccount cannot be used ({error}): its token should be mounted"
                f" at {self.service_account} (`automountServiceAccountToken: true`); or give"
                " --kubeconfig"
            ) from error

    async def _from_kubeconfig(self, found: Configuration, named: str | None) -> None:
        files = _files(named)
        try:
            async with asyncio.timeout(_SIGN_IN_SECONDS):
                await load_kube_config(files, self.context, found, persist_config=False)
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


async def authorization(configuration: Configuration) -> str | None:
    """The Authorization header; None where a certificate says who we are."""
    try:
        header: str | None = await configuration.get_api_key_with_prefix("BearerToken")
    except (ConfigException, OSError) as error:
        raise NoClusterError(f"the ServiceAccount's token cannot be read: {error}") from error
    if header is None:
        return None
    scheme, _, token = header.partition(" ")
    return f"{scheme.capitalize()} {token.strip()}"


def _proxy(server: str) -> str | None:
    """What HTTPS_PROXY and NO_PROXY say about the API server."""
    url = urlsplit(server)
    return None if proxy_bypass(url.hostname or "") else getproxies().get(url.scheme)


def _files(named: str | None) -> str:
    """Where kubeconfigs are; at least one is there."""
    files = named or str(Path("~/.kube/config").expanduser())
    if any(Path(file).expanduser().is_file() for file in files.split(os.pathsep)):
        return files
    if named:
        raise NoClusterError(
            f"there is no kubeconfig {files}: give --kubeconfig (or KUBECONFIG) another path"
        )
    raise NoClusterError(
        "no cluster to talk to: this is not a pod of one (KUBERNETES_SERVICE_HOST is not set),"
        f" and there is no {files}; give --kubeconfig the path of a kubeconfig"
    )
