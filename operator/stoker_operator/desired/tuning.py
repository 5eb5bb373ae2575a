"""Load options that Stoker chooses where the spec leaves the choice to it."""

from stoker_api.scalars import AUTO
from stoker_api.spec import Spec

_MANY_CPUS = 8


def threads(spec: Spec) -> int | None:
    """How many threads the model runs on; None leaves it to Ollama.

    Ollama counts the CPUs of the node and not those of the pod's limit, and threads beyond the
    limit only wait for one another. Below 8 CPUs one stays free for the server.
    """
    wanted = spec.options.threads
    if isinstance(wanted, int):
        return wanted
    limit = spec.server.resources.limits.cpu
    if wanted != AUTO or spec.uses_gpu or limit is None:
        return None
    cpus = max(1, int(limit.value))
    return cpus if cpus >= _MANY_CPUS else max(1, cpus - 1)
