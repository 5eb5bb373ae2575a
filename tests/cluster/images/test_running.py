"""The images in pods, under the restricted rules and on a read-only root.

More is told by the stories that need them anyway: a hot pod, an installed chart.
"""

import json
from functools import cache
from typing import Any

import pytest

from bed import images, lifecycle
from bed.cluster import Namespace
from bed.layout import Bed

PYTHON = "/opt/stoker/bin/python3"

# Signs in by every kubeconfig in a folder, as `stoker operator` does outside a cluster, and prints
# what comes of it.
SIGN_IN = """
import asyncio, json, pathlib
from stoker_operator.kubeconfig import connection
files = sorted(pathlib.Path("/config").glob("*.json"))
print(json.dumps({file.stem: asyncio.run(connection(str(file), None)).authorization
                  for file in files}))
"""

CREDENTIAL = {
    "apiVersion": "client.authentication.k8s.io/v1",
    "kind": "ExecCredential",
    "status": {"token": "of-a-program"},
}
UNTIL_2100 = "eyJhbGciOiJub25lIn0.eyJleHAiOjQxMDI0NDQ4MDB9.c2ln"
"""A token of an identity provider. Nobody looks at more of it than its time."""

USERS: dict[str, dict[str, Any]] = {
    "token": {"token": "of-a-user"},
    "token-file": {"tokenFile": "/config/token"},
    "program": {
        "exec": {
            "apiVersion": CREDENTIAL["apiVersion"],
            "command": PYTHON,
            "args": ["-c", f"print({json.dumps(CREDENTIAL)!r})"],
            "interactiveMode": "Never",
        }
    },
    "provider": {"auth-provider": {"name": "oidc", "config": {"id-token": UNTIL_2100}}},
    "password": {"username": "somebody", "password": "secret"},
}


@cache  # the one that was built first serves every test of a run
def tag(bed: Bed, target: str) -> str:
    """The image of a target, on every node."""
    image = images.project_image(target)
    lifecycle.provide(bed, image)
    return image.tag


def pod(image: str, command: list[str], arguments: list[str]) -> dict[str, Any]:
    """A pod with the image's own user, and nowhere to write but in /tmp."""
    security = {
        "readOnlyRootFilesystem": True,
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    container = {
        "name": "main",
        "image": image,
        **({"command": command} if command else {}),
        "args": arguments,
        "securityContext": security,
        "volumeMounts": [
            {"name": "config", "mountPath": "/config"},
            {"name": "scratch", "mountPath": "/tmp"},
        ],
    }
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": "run"},
        "spec": {
            "restartPolicy": "Never",
            "automountServiceAccountToken": False,
            "securityContext": {"runAsNonRoot": True, "seccompProfile": {"type": "RuntimeDefault"}},
            "containers": [container],
            "volumes": [
                {"name": "config", "configMap": {"name": "config", "optional": True}},
                {"name": "scratch", "emptyDir": {}},
            ],
        },
    }


def ran(namespace: Namespace, image: str, *arguments: str, command: tuple[str, ...] = ()) -> str:
    """What the image prints, once it has ended well."""
    namespace.apply(pod(image, list(command), list(arguments)))

    def has_ended() -> str:
        phase = str(namespace.get("pod", "run")["status"]["phase"])
        assert phase in ("Succeeded", "Failed")
        return phase

    ended = namespace.wait_for(has_ended, seconds=90)
    printed = namespace.kubectl("logs", "run")
    assert ended == "Succeeded", printed
    return printed


@pytest.mark.parametrize(
    ("target", "arguments", "printed"),
    [
        ("operator", ["version"], "0.1.0"),
        ("operator", ["operator", "--help"], "usage: stoker operator"),
        ("operator", ["crd"], "kind: CustomResourceDefinition"),
        ("sidecar", ["version"], "0.1.0"),
        ("sidecar", ["run", "--help"], "usage: stoker-sidecar run"),
        ("simulator", ["serve", "--help"], "usage: "),
    ],
)
def test_an_image_runs_where_nothing_is_allowed(
    bed: Bed, namespace: Namespace, target: str, arguments: list[str], printed: str
) -> None:
    assert printed in ran(namespace, tag(bed, target), *arguments)


def test_all_ways_to_sign_in_work_in_the_operators_image(bed: Bed, namespace: Namespace) -> None:
    # Of the client library the image has only what these need (tools/image/prune.py).
    configs = {f"{name}.json": json.dumps(kubeconfig(user)) for name, user in USERS.items()}
    namespace.apply(
        {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": {"name": "config"},
            "data": {**configs, "token": "of-a-file"},
        }
    )
    printed = ran(namespace, tag(bed, "operator"), "-c", SIGN_IN, command=(PYTHON,))
    assert json.loads(printed) == {
        "token": "Bearer of-a-user",
        "token-file": "Bearer of-a-file",
        "program": "Bearer of-a-program",
        "provider": f"Bearer {UNTIL_2100}",
        "password": "Basic c29tZWJvZHk6c2VjcmV0",
    }


def kubeconfig(user: dict[str, Any]) -> dict[str, Any]:
    return {
        "apiVersion": "v1",
        "kind": "Config",
        "current-context": "here",
        "contexts": [{"name": "here", "context": {"cluster": "here", "user": "me"}}],
        "clusters": [{"name": "here", "cluster": {"server": "https://127.0.0.1:6443"}}],
        "users": [{"name": "me", "user": user}],
    }
