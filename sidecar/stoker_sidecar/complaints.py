"""What Ollama's complaints mean for what comes next.

Ollama tells errors in words, its own or those of a registry, of a disk or of a driver. The status
tells more where there is one; a pull fails in an answer whose status is 200.
"""

import re

from stoker_sidecar.heat.observation import Fault

_STATUSES = {400: Fault.BAD_REQUEST, 404: Fault.NOT_FOUND, 503: Fault.BUSY}

_NO_MEMORY = (
    r"more system memory|out of memory|cannot be allocated|unable to allocate"
    r"|(allocate|commit) memory|cudaMalloc failed"
)

# The first that matches.
_PULL = (
    (Fault.NO_SPACE, r"no space left on device|disk quota exceeded"),
    (Fault.NOT_FOUND, r"file does not exist|invalid model name|manifest: 404\b"),
    # Come back later, say these, to whoever it is.
    (Fault.OTHER, r"manifest: (408|425|429)\b"),
    (Fault.REFUSED, r"manifest: 4\d\d\b|unauthorized|access denied|realm host"),
)


def fault_of_request(status: int, words: str) -> Fault:
    """Why a request was answered with this status and these words."""
    if re.search(_NO_MEMORY, words):
        return Fault.NO_MEMORY
    return _STATUSES.get(status, Fault.OTHER)


def fault_of_pull(words: str) -> Fault:
    """Why a pull failed with these words. Whatever is unknown is worth another try."""
    matching = (fault for fault, pattern in _PULL if re.search(pattern, words))
    return next(matching, Fault.OTHER)
