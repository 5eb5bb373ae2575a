"""What Ollama's complaints mean.

Most of the words were seen from Ollama 0.17.4; those about memory are from its source.
"""

import pytest

from stoker_sidecar.complaints import fault_of_pull, fault_of_request
from stoker_sidecar.heat.observation import Fault


@pytest.mark.parametrize(
    ("status", "words", "fault"),
    [
        (404, "model 'nobody' not found", Fault.NOT_FOUND),
        (400, '"embedding" does not support generate', Fault.BAD_REQUEST),
        (
            503,
            "server busy, please try again.  maximum pending requests exceeded",
            Fault.BUSY,
        ),
        (500, "llama runner process has terminated: signal: killed", Fault.OTHER),
        (
            500,
            "model requires more system memory (12.0 GiB) than is available (3.1 GiB)",
            Fault.NO_MEMORY,
        ),
        (500, "memory layout cannot be allocated with num_gpu = 99", Fault.NO_MEMORY),
        (500, "cudaMalloc failed: out of memory", Fault.NO_MEMORY),
        (200, "an error was encountered while running the model", Fault.OTHER),
    ],
)
def test_a_request_fails_for_a_reason(status: int, words: str, fault: Fault) -> None:
    assert fault_of_request(status, words) is fault


@pytest.mark.parametrize(
    ("words", "fault"),
    [
        ("pull model manifest: file does not exist", Fault.NOT_FOUND),
        ("invalid model name", Fault.NOT_FOUND),
        ("pull model manifest: 401: denied", Fault.REFUSED),
        ("pull model manifest: 403: 403 from the test registry", Fault.REFUSED),
        ("unauthorized: access denied", Fault.REFUSED),
        (
            "pull model manifest: 412: this model requires a newer version of Ollama",
            Fault.REFUSED,
        ),
        ("pull model manifest: 429: too many requests", Fault.OTHER),
        ("pull model manifest: 500: 500 from the test registry", Fault.OTHER),
        ("write /models/blobs/sha256-1-partial: no space left on device", Fault.NO_SPACE),
        (
            "digest mismatch, file must be downloaded again: want sha256:1, got sha256:2",
            Fault.OTHER,
        ),
        ("max retries exceeded: EOF", Fault.OTHER),
        ('Get "http://127.0.0.1:9/v2/": dial tcp: connect: connection refused', Fault.OTHER),
        ("tls: first record does not look like a TLS handshake", Fault.OTHER),
        ("something new", Fault.OTHER),
    ],
)
def test_a_pull_fails_for_a_reason(words: str, fault: Fault) -> None:
    assert fault_of_pull(words) is fault
