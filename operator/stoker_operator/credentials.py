"""The way into a cluster: a pod's ServiceAccount, or a person's kubeconfig.

Looked for where Kubernetes' own tools look, in their order: the kubeconfig that is named by
argument or by KUBECONFIG, the pod's ServiceAccount, `~/.kube/config`.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from stoker_operator.api_errors import NoClusterError
from stoker_operator.connection import Connection

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
_TOKEN_LASTS_SECONDS = 60.0
"""The kubelet renews a pod's token well before it ends."""


@dataclass(frozen=True)
class Access:
    """Where the way in is looked for."""

    kubeconfig: str | None = None
    context: str | None = None
    environment: Mapping[str, str] = field(default_factory=lambda: os.environ)
    service_account: Path = SERVICE_ACCOUNT

    async def connection(self) -> Connection:
        """The way in as it is now; NoClusterError with what was looked for in vain."""
        named = self.kubeconfig or self.environment.get("KUBECONFIG")
        if not (named or self.context) and self.environment.get("KUBERNETES_SERVICE_HOST"):
            return self._of_service_account()
        from stoker_operator import kubeconfig  # noqa: PLC0415 - 10 MiB, and no pod needs it

        return await kubeconfig.connection(_files(named), self.context)

    def _of_service_account(self) -> Connection:
        host = self.environment["KUBERNETES_SERVICE_HOST"]
        port = self.environment.get("KUBERNETES_SERVICE_PORT", "443")
        authority = self.service_account / "ca.crt"
        try:
            token = (self.service_account / "token").read_text().strip()
            authority.stat()
        except (OSError, UnicodeDecodeError) as error:
            raise NoClusterError(
                f"this pod's ServiceAccount cannot be used ({error}): its token should be mounted"
                f" at {self.service_account} (`automountServiceAccountToken: true`); or give"
                " --kubeconfig"
            ) from error
        return Connection(
            server=f"https://[{host}]:{port}" if ":" in host else f"https://{host}:{port}",
            ca_file=str(authority),
            authorization=f"Bearer {token}",
            lasts_seconds=_TOKEN_LASTS_SECONDS,
        )


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
