"""What to make of what is seen at the end of a client's way."""

from dataclasses import replace

import pytest

from stoker_api.wire import Api, Route
from stoker_sidecar.exchange import (
    ExchangeError,
    LateError,
    NonsenseError,
    RefusedError,
    UnreachableError,
    UnresolvedError,
    UntrustedError,
)
from stoker_sidecar.findings import BlindError, Finding, Reason, Sight, at_rest, failed, judge
from stoker_sidecar.heat.observation import Loaded
from stoker_sidecar.ollama import Said
from stoker_sidecar.routing import is_held_back

URL = "http://10.0.0.1:11434"
OURS, OTHERS = "sha256:" + "a" * 64, "sha256:" + "b" * 64


def loaded(second: int, digest: str = OURS) -> Loaded:
    expiry = f"2318-01-01T00:00:{second:02}.000000001Z"
    return Loaded("tiny:latest", digest, 1, 0, 4096, expiry, None)


HERE = Sight(URL, "tiny", OURS, OURS, before=loaded(1), theirs=loaded(1), after=loaded(1))


@pytest.mark.parametrize(
    ("sight", "reason", "is_here"),
    [
        pytest.param(HERE, Reason.REACHED, True, id="it is this pod"),
        pytest.param(
            replace(HERE, theirs=loaded(2), after=loaded(3)),
            Reason.REACHED,
            True,
            id="it is this pod, and it is answering others meanwhile",
        ),
        pytest.param(
            replace(HERE, theirs=loaded(9)), Reason.REACHED, False, id="it is another pod"
        ),
        pytest.param(
            replace(HERE, before=None), Reason.REACHED, None, id="nothing is loaded here to compare"
        ),
        pytest.param(
            replace(HERE, their_digest=OTHERS, theirs=loaded(9, OTHERS)),
            Reason.WRONG_MODEL,
            False,
            id="it has other weights",
        ),
        pytest.param(
            replace(HERE, their_digest=None, theirs=None),
            Reason.WRONG_MODEL,
            False,
            id="it has no such model",
        ),
        pytest.param(
            replace(HERE, before=loaded(9), theirs=loaded(1), after=loaded(2)),
            Reason.REACHED,
            None,
            id="requests with other keep-alives are answered meanwhile",
        ),
        pytest.param(
            replace(HERE, theirs=None, after=loaded(2)),
            Reason.NOT_LOADED,
            None,
            id="it may have been loaded again meanwhile",
        ),
        pytest.param(
            replace(HERE, theirs=None), Reason.NOT_LOADED, False, id="it has not loaded the model"
        ),
        pytest.param(
            replace(HERE, theirs=loaded(9, OTHERS)),
            Reason.WRONG_MODEL,
            False,
            id="it has loaded what its tag stood for before",
        ),
        pytest.param(
            replace(HERE, digest=None), Reason.UNKNOWN, None, id="the model is not here yet"
        ),
    ],
)
def test_a_way_ends_where_its_model_says(
    sight: Sight, reason: Reason, *, is_here: bool | None
) -> None:
    finding = judge(sight)
    assert (finding.reason, finding.is_here) == (reason, is_here)
    assert URL in finding.message


@pytest.mark.parametrize(
    ("error", "reason", "is_here"),
    [
        (UnresolvedError("x"), Reason.DNS_FAILED, None),
        (UntrustedError("x"), Reason.UNTRUSTED, None),
        (UnreachableError("x"), Reason.UNREACHABLE, None),
        (LateError("x"), Reason.TIMED_OUT, None),
        (BlindError("x"), Reason.UNKNOWN, None),
        (RefusedError("x", 500), Reason.REFUSED, None),
        (RefusedError("x", 503), Reason.REFUSED, None),
        (RefusedError("x", 401), Reason.REFUSED, None),
        (RefusedError("x", 302), Reason.WRONG_PROVIDER, False),
        (RefusedError("x", 404), Reason.WRONG_PROVIDER, False),
        (NonsenseError("x"), Reason.WRONG_PROVIDER, False),
    ],
)
def test_only_an_answer_proves_that_somebody_else_is_there(
    error: ExchangeError, reason: Reason, *, is_here: bool | None
) -> None:
    finding = failed(URL, error)
    assert (finding.reason, finding.is_here) == (reason, is_here)


@pytest.mark.parametrize("reason", [Reason.UNREACHABLE, Reason.TIMED_OUT])
def test_before_anything_is_hot_nobody_is_expected_behind_the_service(reason: Reason) -> None:
    finding = Finding(reason, "connection refused")
    assert at_rest(finding, hot=False).reason is Reason.NO_ENDPOINTS
    assert at_rest(finding, hot=True) == finding


def test_a_wrong_provider_is_wrong_before_anything_is_hot() -> None:
    finding = Finding(Reason.WRONG_PROVIDER, "somebody else")
    assert at_rest(finding, hot=False) == finding


def test_a_finding_is_a_route_in_the_status() -> None:
    finding = Finding(Reason.REACHED, "there it is")
    assert finding.on(Api.OPENAI) == Route(
        Api.OPENAI, ok=True, reason="Reached", message="there it is"
    )


@pytest.mark.parametrize(
    ("said", "held_back"),
    [
        pytest.param(Said(0, 1.0, 1.7, 10.0), False, id="words came one by one"),
        pytest.param(Said(0, 1.7, 1.7, 10.0), True, id="slow words came at once"),
        pytest.param(Said(0, 1.0, 1.0, 200.0), False, id="words are too fast to tell"),
        pytest.param(Said(0, 1.0, 1.0, None), False, id="there was but one word"),
    ],
)
def test_words_that_come_at_once_were_held_back(said: Said, *, held_back: bool) -> None:
    assert is_held_back(said) is held_back
