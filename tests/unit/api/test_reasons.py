"""The page of all reasons."""

import re

from stoker_api.reasons import Reason
from stoker_api.reasons_reference import reasons_reference


def test_the_page_has_each_reason_once_with_its_meaning() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+) \|$", reasons_reference(), re.MULTILINE)
    assert [reason for reason, _ in rows] == list(Reason)
    assert all(meaning.endswith((".", "?")) for _, meaning in rows)
