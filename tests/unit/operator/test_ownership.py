"""Whose an object is that has the name of one that is wanted."""

import pytest

from stoker_operator.ownership import Whose, whose
from support.manifests import Json, resource

MINE = {"stoker.dev/llmdeployment": "phi3"}


def owner(uid: str, kind: str = "LLMDeployment", name: str = "phi3") -> Json:
    return {"kind": kind, "name": name, "uid": uid, "controller": True}


@pytest.mark.parametrize(
    ("metadata", "expected"),
    [
        pytest.param({"ownerReferences": [owner("1")]}, Whose.OURS, id="ours by its owner"),
        pytest.param({"labels": MINE}, Whose.OURS, id="orphaned, with our label: adopted"),
        pytest.param({}, Whose.OTHERS, id="somebody's, without any owner"),
        pytest.param({"labels": {"app": "phi3"}}, Whose.OTHERS, id="somebody's, with labels"),
        pytest.param(
            {"labels": MINE, "ownerReferences": [owner("9", "Deployment")]},
            Whose.OTHERS,
            id="another controller's, whatever its labels",
        ),
        pytest.param(
            {"labels": MINE, "ownerReferences": [owner("9", name="other")]},
            Whose.OTHERS,
            id="another LLMDeployment's",
        ),
        pytest.param(
            {"labels": MINE, "ownerReferences": [owner("9")]},
            Whose.LEAVING,
            id="of the LLMDeployment that had this name before",
        ),
        pytest.param(
            {"ownerReferences": [owner("1")], "deletionTimestamp": "2026-01-01T00:00:00Z"},
            Whose.LEAVING,
            id="ours, being deleted",
        ),
        pytest.param(
            {"labels": MINE, "ownerReferences": [{"kind": "Node", "name": "n", "uid": "5"}]},
            Whose.OURS,
            id="an owner that is no controller claims nothing",
        ),
    ],
)
def test_whose_it_is(metadata: Json, expected: Whose) -> None:
    assert whose({"metadata": metadata}, resource(uid="1")) is expected
