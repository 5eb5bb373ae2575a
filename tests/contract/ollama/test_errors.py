"""How a request is refused."""

import pytest

from bed import models
from contract.ollama.api import Ollama


@pytest.mark.parametrize(
    ("path", "complaint"),
    [
        ("/api/generate", "model 'nobody' not found"),
        ("/api/chat", "model 'nobody' not found"),
        ("/api/show", "model 'nobody' not found"),
        ("/api/embed", 'model "nobody" not found, try pulling it first'),
    ],
)
def test_an_unknown_model_is_not_found(server: Ollama, path: str, complaint: str) -> None:
    response = server.post(path, model="nobody")
    assert (response.status_code, response.json()) == (404, {"error": complaint})


def test_an_unknown_model_is_not_found_by_the_openai_api_either(server: Ollama) -> None:
    message = {"role": "user", "content": "hi"}
    response = server.post("/v1/chat/completions", model="nobody", messages=[message])
    assert response.status_code == 404
    assert response.json()["error"]["message"] == "model 'nobody' not found"


PATHS = ["/api/generate", "/api/chat", "/api/embed", "/api/show", "/api/pull"]


@pytest.mark.parametrize("path", PATHS)
def test_a_body_that_is_not_json_is_refused(server: Ollama, path: str) -> None:
    response = server.http.post(path, content="{nonsense")
    assert response.status_code == 400
    assert "invalid character 'n'" in response.json()["error"]


@pytest.mark.parametrize("path", PATHS)
def test_an_empty_body_is_refused(server: Ollama, path: str) -> None:
    response = server.http.post(path)
    assert (response.status_code, response.json()) == (400, {"error": "missing request body"})


def test_an_unknown_field_is_ignored(server: Ollama) -> None:
    assert server.load("tiny", no_such_field=1)["done_reason"] == "load"


def test_an_option_of_another_type_is_the_servers_fault(server: Ollama) -> None:
    response = server.post("/api/generate", model="tiny", options={"num_ctx": "many"})
    complaint = {"error": 'option "num_ctx" must be of type integer'}
    assert (response.status_code, response.json()) == (500, complaint)


@pytest.mark.p(42)
def test_there_are_no_metrics(server: Ollama) -> None:
    assert server.http.get("/metrics").status_code == 404


@pytest.mark.p(41)
def test_a_server_on_loopback_refuses_other_host_names(server: Ollama) -> None:
    answer = server.http.get("/api/version", headers={"Host": "ollama.example"})
    assert answer.status_code == 403
    assert server.http.get("/api/version", headers={"Host": "localhost"}).status_code == 200


def test_the_version_is_told(server: Ollama) -> None:
    version = server.http.get("/api/version").json()["version"]
    assert version.split(".")[0].isdigit()


def test_the_installed_models_are_listed_with_their_digests(server: Ollama) -> None:
    assert server.installed() == {
        "tiny:latest": models.tiny().digest,
        "other:latest": models.other().digest,
        "embedding:latest": models.embedding().digest,
    }


@pytest.mark.p(16)
@pytest.mark.parametrize(
    ("model", "capability"), [("tiny", "completion"), ("embedding", "embedding")]
)
def test_a_model_shows_what_it_can_do(server: Ollama, model: str, capability: str) -> None:
    shown = server.post("/api/show", model=model).json()
    assert shown["capabilities"] == [capability]
    family = shown["details"]["family"]
    assert shown["model_info"][f"{family}.context_length"] == 2048
    assert shown["details"]["format"] == "gguf"
