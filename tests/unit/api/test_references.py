import pytest
from hypothesis import given
from hypothesis import strategies as st

from stoker_api.references import ModelReference


@pytest.mark.parametrize(
    ("text", "shortest"),
    [
        ("phi3", "phi3:latest"),
        ("phi3:mini", "phi3:mini"),
        ("library/phi3:mini", "phi3:mini"),
        ("registry.ollama.ai/library/phi3:mini", "phi3:mini"),
        ("someone/phi3", "someone/phi3:latest"),
        ("hf.co/org/repo:Q4_K_M", "hf.co/org/repo:Q4_K_M"),
        ("registry:5000/ns/name:tag", "registry:5000/ns/name:tag"),
        ("registry:5000/library/name", "registry:5000/library/name:latest"),
    ],
)
def test_a_reference_has_one_shortest_form(text: str, shortest: str) -> None:
    assert str(ModelReference.parse(text)) == shortest


@given(st.text(max_size=40))
def test_the_shortest_form_means_the_same(text: str) -> None:
    reference = ModelReference.parse(text)
    if reference is not None:
        assert ModelReference.parse(str(reference)) == reference
