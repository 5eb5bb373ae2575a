"""Pulling a model from a registry that works, and from one that does not."""

import json
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import pytest

from bed import models
from bed.models import Model
from bed.registry import Fault, Registry
from contract.ollama.api import Json, Ollama, eventually

NAME = "pulled"


@dataclass(frozen=True)
class Pull:
    """The answer to a pull: its HTTP status, and its lines without the repeated ones."""

    status: int
    lines: list[Json]

    @property
    def words(self) -> list[str]:
        return list(dict.fromkeys(line["status"] for line in self.lines if "status" in line))

    @property
    def error(self) -> str | None:
        return self.lines[-1].get("error")


@pytest.fixture
def fresh() -> Model:
    """A model whose weights the server has not got."""
    return models.unseen()


def pull(server: Ollama, name: str, **fields: object) -> Pull:
    body = {"model": name, "insecure": True, **fields}
    response = server.post("/api/pull", **body)
    return Pull(response.status_code, [json.loads(line) for line in response.text.splitlines()])


@pytest.mark.p(35)
def test_a_pull_tells_its_progress_and_ends_with_success(
    server: Ollama, registry: Registry
) -> None:
    model = models.tiny().with_parameters(num_ctx=512)
    done = pull(server, registry.put(NAME, model))
    assert done.status == 200
    blobs = [f"pulling {blob.digest.removeprefix('sha256:')[:12]}" for blob in model.blobs]
    assert done.words == [
        "pulling manifest",
        *blobs,
        "verifying sha256 digest",
        "writing manifest",
        "success",
    ]


def test_progress_counts_the_bytes_of_each_blob(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    done = pull(server, registry.put(NAME, fresh))
    for blob in fresh.blobs:
        lines = [line for line in done.lines if line.get("digest") == blob.digest]
        counts = [line.get("completed", 0) for line in lines]
        assert {line["total"] for line in lines} == {blob.size}
        assert counts == sorted(counts)
        assert counts[-1] == blob.size


def test_a_pulled_model_is_installed_under_the_registrys_digest_and_loads(
    server: Ollama, registry: Registry
) -> None:
    model = models.tiny().with_parameters(num_ctx=512)
    name = registry.put(NAME, model)
    pull(server, name)
    assert server.installed()[name] == model.digest
    server.load(name)
    assert server.ps()[name.removesuffix(":latest")].context_length == 512


def test_without_streaming_a_pull_answers_once(server: Ollama, registry: Registry) -> None:
    done = pull(server, registry.put(NAME, models.tiny()), stream=False)
    assert (done.status, done.lines) == (200, [{"status": "success"}])


@pytest.mark.p(36)
def test_blobs_that_are_there_are_not_asked_for(server: Ollama, registry: Registry) -> None:
    # The very weights of a model that the server has.
    pull(server, registry.put(NAME, models.tiny()))
    assert [request.path for request in registry.requests] == [
        f"/v2/library/{NAME}/manifests/latest"
    ]


@pytest.mark.p(35)
def test_a_missing_model_is_an_error_line_in_a_good_answer(
    server: Ollama, registry: Registry
) -> None:
    done = pull(server, f"{registry.host}/library/nobody:latest")
    assert done.status == 200
    assert done.lines == [
        {"status": "pulling manifest"},
        {"error": "pull model manifest: file does not exist"},
    ]


@pytest.mark.p(35)
def test_without_streaming_a_missing_model_is_an_http_error(
    server: Ollama, registry: Registry
) -> None:
    done = pull(server, f"{registry.host}/library/nobody:latest", stream=False)
    assert done.status == 500
    assert done.error == "pull model manifest: file does not exist"


@pytest.mark.p(35)
def test_a_registry_that_fails_is_an_error_line_with_its_words(
    server: Ollama, registry: Registry
) -> None:
    name = registry.put(NAME, models.tiny())
    registry.inject(NAME, Fault(status=500))
    done = pull(server, name)
    assert done.status == 200
    assert done.error == "pull model manifest: 500: 500 from the test registry\n"


@pytest.mark.p(35)
def test_a_registry_that_is_away_is_an_error_line(server: Ollama) -> None:
    # Port 9 is nobody's on loopback.
    done = pull(server, "127.0.0.1:9/library/tiny:latest")
    assert done.status == 200
    assert "connection refused" in str(done.error)


def test_plain_http_has_to_be_allowed(server: Ollama, registry: Registry) -> None:
    done = pull(server, registry.put(NAME, models.tiny()), insecure=False)
    assert "first record does not look like a TLS handshake" in str(done.error)


@pytest.mark.p(36)
def test_wrong_bytes_are_an_error_line_and_leave_nothing(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, Fault(corrupt=True))
    done = pull(server, name)
    assert done.status == 200
    assert str(done.error).startswith("digest mismatch, file must be downloaded again: want sha256")
    assert name not in server.installed()
    assert pull(server, name).words[-1] == "success"


@pytest.mark.p(35)
def test_a_cut_connection_is_taken_up_where_it_ended(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, Fault(cut=True, after_bytes=100_000))
    assert pull(server, name).words[-1] == "success"
    last = fresh.weights.size - 1
    assert registry.data_requests(fresh.weights) == [f"bytes=0-{last}", f"bytes=100000-{last}"]


@pytest.mark.p(35)
def test_an_error_between_the_bytes_is_tried_again(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, Fault(status=503))
    assert pull(server, name).words[-1] == "success"
    assert len(registry.data_requests(fresh.weights)) == 2


@pytest.mark.p(35)
def test_a_client_that_hangs_up_stops_the_pull_and_the_next_one_resumes(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, Fault(stall=True, after_bytes=100_000))
    body = {"model": name, "insecure": True}
    with server.http.stream("POST", "/api/pull", json=body) as response:
        lines = map(json.loads, response.iter_lines())
        next(line for line in lines if line.get("completed") == 100_000)
    # Until the cancelled pull is gone, another one of the same blob joins it and ends like it.
    eventually(lambda: pull(server, name).words[-1] == "success", "a pull that succeeds")
    last = fresh.weights.size - 1
    assert registry.data_requests(fresh.weights) == [f"bytes=0-{last}", f"bytes=100000-{last}"]


@pytest.mark.p(35)
@pytest.mark.slow
def test_a_stalled_download_starts_again_after_half_a_minute(
    hasty: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    registry.inject(fresh.weights.digest, Fault(stall=True, after_bytes=100_000))
    assert pull(hasty, name).words[-1] == "success"
    last = fresh.weights.size - 1
    # What it had is lost, unlike after a cut.
    assert registry.data_requests(fresh.weights) == [f"bytes=0-{last}"] * 2


@pytest.mark.p(38)
def test_a_tag_that_moved_changes_the_installed_digest_but_not_the_loaded_model(
    server: Ollama, registry: Registry
) -> None:
    name = registry.put(NAME, models.tiny())
    pull(server, name)
    server.load(name)
    server.settled_expiry(name.removesuffix(":latest"))
    before = server.ps()
    moved = models.other()
    registry.put(NAME, moved)
    pull(server, name)
    assert server.installed()[name] == moved.digest
    assert server.ps() == before


@pytest.mark.p(38)
def test_a_request_after_a_tag_moved_loads_the_new_model_beside_the_old_one(
    server: Ollama, registry: Registry
) -> None:
    name = registry.put(NAME, models.tiny())
    pull(server, name)
    server.load(name)
    registry.put(NAME, models.other())
    pull(server, name)
    server.load(name)
    assert {(line["name"], line["digest"]) for line in server.ps_lines()} == {
        (name, models.tiny().digest),
        (name, models.other().digest),
    }


def test_two_pulls_of_one_model_share_the_download(
    server: Ollama, registry: Registry, fresh: Model
) -> None:
    name = registry.put(NAME, fresh)
    with ThreadPoolExecutor() as pool:
        pulls = [pool.submit(pull, server, name) for _ in range(2)]
        assert [done.result().words[-1] for done in pulls] == ["success", "success"]
    assert len(registry.data_requests(fresh.weights)) == 1
