"""The table of what the API takes, as `stoker validate` judges it."""

import json

import pytest

from stoker_api.crd import custom_resource_definition
from stoker_api.errors import InvalidManifestError
from stoker_api.reading import read
from stoker_api.rules import VALIDATIONS_KEY
from support.api_cases import CASES, CHANGES, NAMES, SHAPES, Case, Change
from support.manifests import Json, manifest, problems_of, resource


def rules_in(node: object) -> set[str]:
    """The sentences of all rules in a schema."""
    if isinstance(node, list):
        return set().union(*map(rules_in, node))
    if not isinstance(node, dict):
        return set()
    own = {rule["message"] for rule in node.get(VALIDATIONS_KEY, [])}
    return own.union(*map(rules_in, node.values()))


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_spec_that_keeps_the_rules_is_accepted(case: Case) -> None:
    for spec in case.accepted:
        assert problems_of(manifest(spec)) == [], spec


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.says)
def test_a_spec_that_breaks_a_rule_is_refused_at_its_field(case: Case) -> None:
    for spec in case.refused:
        assert case.field in [problem.field for problem in problems_of(manifest(spec))], spec


@pytest.mark.parametrize(("field", "spec"), SHAPES, ids=str)
def test_a_wrong_shape_is_refused_where_it_stands(field: str, spec: Json) -> None:
    assert [problem.field for problem in problems_of(manifest(spec))] == [field]


def test_an_llmdeployment_is_named_as_its_service_must_be() -> None:
    for metadata in NAMES.accepted:
        assert problems_of(manifest(**metadata)) == []
    for metadata in NAMES.refused:
        assert [problem.field for problem in problems_of(manifest(**metadata))] == [NAMES.field]


@pytest.mark.parametrize("change", CHANGES, ids=lambda change: change.says)
def test_an_update_must_be_allowed_too(change: Change) -> None:
    before = resource(change.before)
    read(manifest(change.accepted), replaces=before)
    with pytest.raises(InvalidManifestError) as caught:
        read(manifest(change.refused), replaces=before)
    assert [problem.field for problem in caught.value.problems] == [change.field]


def test_every_rule_of_the_crd_is_broken_by_the_table() -> None:
    refused = [manifest(spec) for case in CASES for spec in case.refused]
    refused += [manifest(**metadata) for metadata in NAMES.refused]
    said = {problem.message for document in refused for problem in problems_of(document)}
    for change in CHANGES:
        with pytest.raises(InvalidManifestError) as caught:
            read(manifest(change.refused), replaces=resource(change.before))
        said |= {problem.message for problem in caught.value.problems}
    assert rules_in(custom_resource_definition()) <= said


def test_the_stored_form_of_a_spec_says_the_same() -> None:
    for case in CASES:
        for spec in case.accepted:
            first = resource(spec)
            stored = json.loads(json.dumps(first.as_json()))
            assert read(stored) == first
