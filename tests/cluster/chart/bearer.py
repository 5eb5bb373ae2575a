"""The API server, as whoever has a token sees it: without kubectl, which looks before it leaps."""

import base64
import json
import ssl
import urllib.error
import urllib.request
from dataclasses import dataclass
from typing import Any

from bed.cluster import Cluster, Manifest, Namespace

MERGE = "application/strategic-merge-patch+json"


@dataclass(frozen=True)
class Answer:
    """What the API server said."""

    status: int
    body: dict[str, Any]

    @property
    def message(self) -> str:
        return str(self.body.get("message", ""))


@dataclass(frozen=True)
class Bearer:
    """Somebody with a token."""

    server: str
    authority: str
    token: str

    def ask(self, method: str, path: str, body: Manifest | None = None) -> Answer:
        """What comes of one request."""
        request = urllib.request.Request(
            f"{self.server}{path}",
            data=None if body is None else json.dumps(body).encode(),
            method=method,
            headers={
                "Authorization": f"Bearer {self.token}",
                "Content-Type": MERGE if method == "PATCH" else "application/json",
            },
        )
        context = ssl.create_default_context(cadata=self.authority)
        try:
            with urllib.request.urlopen(request, context=context, timeout=30) as answer:
                return Answer(answer.status, json.load(answer))
        except urllib.error.HTTPError as refusal:
            with refusal:
                return Answer(refusal.code, json.load(refusal))

    def patch_status(self, namespace: str, pod: str, patch: Manifest) -> Answer:
        """A patch of the status of a pod."""
        return self.ask("PATCH", f"/api/v1/namespaces/{namespace}/pods/{pod}/status", patch)

    def rights(self, namespace: str) -> set[tuple[str, str, str]]:
        """Verb, group and resource of all that it may do in a namespace, by Kubernetes' word.

        As `kubectl auth can-i --list` has it.
        """
        review = {
            "apiVersion": "authorization.k8s.io/v1",
            "kind": "SelfSubjectRulesReview",
            "spec": {"namespace": namespace},
        }
        path = "/apis/authorization.k8s.io/v1/selfsubjectrulesreviews"
        rules = self.ask("POST", path, review).body["status"]["resourceRules"]
        return {
            (verb, group, resource + "".join(f" {name}" for name in rule.get("resourceNames", [])))
            for rule in rules
            for verb in rule["verbs"]
            for group in rule["apiGroups"]
            for resource in rule["resources"]
        }


def bearer(cluster: Cluster, token: str) -> Bearer:
    """Who has this token."""
    text = cluster.kubectl("config", "view", "--raw", "--flatten", "--minify", "--output=json")
    place = json.loads(text)["clusters"][0]["cluster"]
    authority = base64.b64decode(place["certificate-authority-data"]).decode()
    return Bearer(place["server"], authority, token)


def account(namespace: Namespace, name: str, role: str = "", kind: str = "ClusterRole") -> None:
    """A ServiceAccount that has this role in its namespace."""
    namespace.apply(
        {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": name}},
    )
    if role:
        namespace.kubectl(
            *("create", "rolebinding", name, f"--{kind.lower()}={role}"),
            f"--serviceaccount={namespace.name}:{name}",
        )


def signed_in(namespace: Namespace, name: str, *, pod: Manifest | None = None) -> Bearer:
    """Who has a token of this ServiceAccount, bound to a pod or to nothing."""
    bound = []
    if pod is not None:
        metadata = pod["metadata"]
        bound = [
            "--bound-object-kind=Pod",
            f"--bound-object-name={metadata['name']}",
            f"--bound-object-uid={metadata['uid']}",
        ]
    token = namespace.kubectl("create", "token", name, *bound).strip()
    return bearer(namespace.cluster, token)
