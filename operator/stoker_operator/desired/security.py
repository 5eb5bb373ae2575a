"""Who the pod's processes are, and how little they may do.

The two containers see each other's processes but are different users, so that neither can signal
the other or read its environment, files or token. They meet in one group, which owns the volumes.
Everything here fits the `restricted` Pod Security level.
"""

from stoker_operator.desired.identity import Manifest

OLLAMA_USER = 10_001
SIDECAR_USER = 10_002
SHARED_GROUP = 10_000


def pod_security() -> Manifest:
    """The security context of the pod."""
    return {
        "runAsNonRoot": True,
        # Containers name their own users. But containerd makes the pod's sandbox of this one, and
        # refuses a group without a user.
        "runAsUser": OLLAMA_USER,
        "runAsGroup": SHARED_GROUP,
        "fsGroup": SHARED_GROUP,
        # A store of many gigabytes is not walked file by file at every start.
        "fsGroupChangePolicy": "OnRootMismatch",
        "seccompProfile": {"type": "RuntimeDefault"},
    }


def container_security(user: int) -> Manifest:
    """The security context of a container that runs as `user`."""
    return {
        "runAsUser": user,
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
