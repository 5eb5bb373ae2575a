"""Files of LLMDeployments, read and judged: the one door by which they come in."""

from collections.abc import Iterable
from typing import Any

from stoker_api.errors import InvalidManifestError
from stoker_api.reading import read
from stoker_api.resource import KIND, LLMDeployment
from stoker_api.wire import DOMAIN
from stoker_operator.documents import Document, read_all
from stoker_operator.errors import InvalidDocumentsError


def checked(files: Iterable[str]) -> list[LLMDeployment | Document]:
    """All that the files hold: LLMDeployments, and documents of other kinds as they are."""
    problems: list[str] = []
    entries: list[LLMDeployment | Document] = []
    seen: dict[tuple[str | None, str], str] = {}
    for document in read_all(files):
        if not _is_ours(document.value):
            entries.append(document)
            continue
        try:
            resource = read(document.value)
        except InvalidManifestError as error:
            problems += [_place(document, problem.path, str(problem)) for problem in error.problems]
            continue
        key = (resource.metadata.namespace, resource.metadata.name)
        if key in seen:
            message = f"metadata.name: {key[1]!r} is the name of {seen[key]} already"
            problems.append(_place(document, ("metadata", "name"), message))
        seen[key] = f"document {document.number} of {document.source}"
        entries.append(resource)
    if problems:
        raise InvalidDocumentsError(problems)
    return entries


def _is_ours(value: Any) -> bool:
    """Whether it is for us to judge: whatever is not plainly another API's object."""
    if not isinstance(value, dict):
        return True
    group = str(value.get("apiVersion", "")).partition("/")[0]
    return group == DOMAIN or value.get("kind") == KIND or not value.get("kind")


def _place(document: Document, path: tuple[str | int, ...], message: str) -> str:
    return f"{document.source}:{document.line(path)}: document {document.number}, {message}"
