from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from reconciler.images.registry.challenge import Basic, Bearer, parse_challenge


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        ("", None),
        ("Negotiate", None),
        ('Basic realm="x"', Basic()),
        ("basic", Basic()),
        ('Bearer realm="https://a/t",service="s",scope="repository:a/b:pull,push"', "full"),
        ('bearer  Realm = "https://a/t" , SERVICE = s , scope="repository:a/b:pull,push"', "full"),
        (r'Bearer realm="https://a/\"t"', Bearer('https://a/"t', "", "")),
        ('Basic realm="x", Bearer realm="https://a/t"', Bearer("https://a/t", "", "")),
        ('Negotiate, Basic realm="x"', Basic()),
        ('Bearer service="s"', None),
        ('Bearer realm="unclosed', None),
        ("=,=", None),
    ],
)
def test_challenges(header: str, expected: Bearer | Basic | str | None) -> None:
    """The grammar in all its spellings; a token is preferred; what cannot be met is no challenge."""
    if expected == "full":
        expected = Bearer("https://a/t", "s", "repository:a/b:pull,push")
    assert parse_challenge(header) == expected


@given(st.text(alphabet='Bearer basic=",\\realm ;', max_size=60))
def test_any_header_is_read_to_an_end(header: str) -> None:
    """Whatever a server writes, the answer is a challenge or none."""
    found = parse_challenge(header)
    assert found is None or isinstance(found, Bearer | Basic)
