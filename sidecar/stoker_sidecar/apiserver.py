"""The API server, as far as one pod needs it: its own status, looked at and patched.

The sidecar may do one thing there: patch `pods/status`. That is enough to read, too. A patch that
says nothing but the pod's own uid changes nothing (the API server does not even write it down) and
is answered with the whole pod. The uid makes every patch fail that would reach a successor of the
same name.

The patch is a strategic merge, whose key for conditions is `type`: it touches one entry of that
list and needs no knowledge of the others, which are the kubelet's. Server-side apply would do as
much, with a record of owned fields on top that one entry does not need.
"""

import json
import ssl
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from http import HTTPStatus
from pathlib import Path
from typing import Any
from urllib.parse import quote

from stoker_api.wire import HotCondition
from stoker_api.words import one_line
from stoker_sidecar.errors import SidecarError
from stoker_sidecar.exchange import ExchangeError
from stoker_sidecar.site import Answer, Manner, Site

SERVICE_ACCOUNT = Path("/var/run/secrets/kubernetes.io/serviceaccount")
FIELD_MANAGER = "stoker-sidecar"

_MERGE = Manner("PATCH", "application/strategic-merge-patch+json")
_MAX_SECRET_BYTES = 1024 * 1024
_MAX_SENTENCE = 300
_MAX_RETRY_AFTER_SECONDS = 30.0


class ApiServerError(SidecarError):
    """A request that has not been carried out, or of which nobody knows whether it has."""


class AwayError(ApiServerError):
    """No answer, or one that says: later."""

    def __init__(self, sentence: str, retry_after_seconds: float | None = None) -> None:
        super().__init__(sentence)
        self.retry_after_seconds = retry_after_seconds


class RefusedError(ApiServerError):
    """An answer that will be the same until a person has done something."""


class GoneError(ApiServerError):
    """The pod is no longer there."""


@dataclass(frozen=True)
class Identity:
    """Which pod this is, and where its API server is."""

    host: str
    port: int
    namespace: str
    pod: str
    uid: str

    @property
    def url(self) -> str:
        """Where the API server is."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"https://{host}:{self.port}"

    @property
    def path(self) -> str:
        """Where the pod's status is there."""
        namespace, pod = quote(self.namespace, safe=""), quote(self.pod, safe="")
        return f"/api/v1/namespaces/{namespace}/pods/{pod}/status?fieldManager={FIELD_MANAGER}"


@dataclass(frozen=True)
class Pod:
    """What the API server has of the pod."""

    condition: HotCondition | None
    """The gate; None where it has never been set."""
    leaving: bool
    """It is being deleted, evicted or preempted, or has ended."""


def identity(environment: Mapping[str, str]) -> Identity | None:
    """Which pod this is; None outside Kubernetes."""
    host = environment.get("KUBERNETES_SERVICE_HOST")
    if not host:
        return None
    facts = [environment.get(name, "") for name in ("POD_NAMESPACE", "POD_NAME", "POD_UID")]
    if not all(facts):
        raise RefusedError(
            "POD_NAME, POD_NAMESPACE and POD_UID must be in the environment of a sidecar in"
            " Kubernetes: set them from metadata.name, metadata.namespace and metadata.uid, as"
            " the manifests of `stoker render` do"
        )
    port = environment.get("KUBERNETES_SERVICE_PORT") or "443"
    if not (port.isascii() and port.isdigit()):
        raise RefusedError(f"KUBERNETES_SERVICE_PORT must be a number, not {port!r:.80}")
    return Identity(host, int(port), *facts)


class PodClient:
    """A client for the status of one pod. Its caller sets the time limits.

    Each request has a connection of its own. They are rare, and a connection that has been idle may
    lead nowhere, and say so too late.
    """

    def __init__(self, who: Identity, folder: Path = SERVICE_ACCOUNT) -> None:
        self._who = who
        self._folder = folder
        self._authority = b""
        self._context: ssl.SSLContext | None = None

    async def look(self) -> Pod:
        """The pod as the API server has it."""
        return await self._patch({})

    async def write(self, condition: HotCondition) -> Pod:
        """Sets the gate; the pod as it is then."""
        return await self._patch({"status": {"conditions": [condition.to_condition()]}})

    async def _patch(self, patch: Mapping[str, Any]) -> Pod:
        who = self._who
        document = {"metadata": {"uid": who.uid}, **patch}
        try:
            with closing(self._site()) as site:
                answer = await site.ask(who.path, document, seconds=None, manner=_MERGE)
        except ExchangeError as error:
            raise AwayError(f"the API server does not answer: {error}") from error
        if answer.status != HTTPStatus.OK:
            raise _error(answer, who)
        return _pod(answer.body)

    def _site(self) -> Site:
        """The API server, for one request: the token and the authority may change."""
        headers = [
            ("Authorization", f"Bearer {self._token()}"),
            ("Accept", "application/json"),
            ("Connection", "close"),
        ]
        return Site(self._who.url, connections=1, headers=headers, tls=self._current_context())

    def _token(self) -> str:
        token = self._secret("token").decode("latin-1").strip()
        if not (token and token.isascii() and token.isprintable()):
            raise RefusedError(
                f"{self._folder / 'token'} holds no token: it should be that of the pod's"
                " ServiceAccount"
            )
        return token

    def _current_context(self) -> ssl.SSLContext:
        """What the API server's certificate is held to; the authority may change."""
        authority = self._secret("ca.crt")
        if self._context is None or authority != self._authority:
            context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
            try:
                context.load_verify_locations(cadata=authority.decode("ascii"))
            except (ssl.SSLError, ValueError) as error:
                raise RefusedError(
                    f"{self._folder / 'ca.crt'} holds no certificate ({error}): it should be that"
                    " of the ConfigMap kube-root-ca.crt"
                ) from error
            self._authority, self._context = authority, context
        return self._context

    def _secret(self, name: str) -> bytes:
        path = self._folder / name
        try:
            with path.open("rb") as file:
                return file.read(_MAX_SECRET_BYTES)
        except OSError as error:
            raise RefusedError(
                f"{path} cannot be read ({error.strerror}): without it the API server does not"
                " know this pod; mount the ServiceAccount's token into the sidecar"
            ) from error


def _pod(body: bytes) -> Pod:
    document = _object(body)
    metadata, status = _part(document, "metadata"), _part(document, "status")
    listed = status.get("conditions")
    conditions = (
        [each for each in listed if isinstance(each, dict)] if isinstance(listed, list) else []
    )
    disrupted = any(
        each.get("type") == "DisruptionTarget" and each.get("status") == "True"
        for each in conditions
    )
    ended = status.get("phase") in ("Succeeded", "Failed")
    return Pod(
        condition=HotCondition.of(conditions),
        leaving=bool(metadata.get("deletionTimestamp")) or disrupted or ended,
    )


def _error(answer: Answer, who: Identity) -> ApiServerError:
    """What an answer other than 200 means for us, in a sentence."""
    code, words = answer.status, _words(answer.body)
    if code == HTTPStatus.FORBIDDEN:
        return RefusedError(
            f"the API server does not let this pod set its gate (403: {words}): its ServiceAccount"
            " needs the verb patch on pods/status; look at its RoleBinding in namespace"
            f" {who.namespace}, and at the ClusterRole which that names"
        )
    if code == HTTPStatus.UNAUTHORIZED:
        return RefusedError(f"the API server does not accept this pod's token (401: {words})")
    if code == HTTPStatus.NOT_FOUND:
        return GoneError(f"the API server has no pod {who.pod} in {who.namespace} any more")
    if code == HTTPStatus.UNPROCESSABLE_ENTITY and "metadata.uid" in words:
        return GoneError(f"the pod {who.pod} in {who.namespace} is another one by now")
    sentence = f"the API server has not set the gate ({code}: {words})"
    later = code in (HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.CONFLICT)
    if later or code >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return AwayError(sentence, _retry_after_seconds(answer.retry_after))
    return RefusedError(sentence)


def _retry_after_seconds(text: str) -> float | None:
    """How long to wait; None where nothing was said that can be read."""
    if not (text.isascii() and text.isdigit()):
        return None
    return min(float(text), _MAX_RETRY_AFTER_SECONDS)


def _words(body: bytes) -> str:
    """The API server's own sentence, fit for a log."""
    try:
        message = str(_object(body).get("message"))
    except AwayError:
        message = body[:_MAX_SENTENCE].decode("utf-8", "replace")
    return one_line(message[:_MAX_SENTENCE])


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise AwayError("the API server's answer is not JSON") from error
    if not isinstance(document, dict):
        raise AwayError("the API server's answer is not an object")
    return document


def _part(document: Mapping[str, Any], name: str) -> dict[str, Any]:
    part = document.get(name)
    return part if isinstance(part, dict) else {}
