"""kopf without the official client, which it imports only to know its objects when it sees one.

It sees none here. That spares every start a fifth of a second, and 10 MiB for good; the client is
imported where it is needed, to read a kubeconfig.
"""

import sys

_CLIENT = "kubernetes"

if _CLIENT in sys.modules:
    import kopf
else:
    sys.modules[_CLIENT] = None  # type: ignore[assignment] # to kopf: not installed
    try:
        import kopf
    finally:
        del sys.modules[_CLIENT]

__all__ = ["kopf"]
