from __future__ import annotations

import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.patterns import parse_pattern

ENDLESS = "it could be tried for ever: let each turn of a repeat begin or end with something of its own"
PARTS = "it could be tried for ever: too many parts of it can take the same characters"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "(?:)*",
        "(?!)",
        "a{0}",
        r"^v?\d+\.\d+\.\d+$",
        r"^(\d+)\.(\d+)(?:\.(\d+))?(-\w+)?$",
        r"^\d+(\.\d+)*(-[a-z0-9.]+)*$",
        r"^\d+(\.\d+){2}$",
        r"^\d{8}T\d{6}$",
        r"(\d{4})+",
        r"^main-[a-fA-F0-9]+-(?P<version>.*)",
        r"^RELEASE\.(?P<version>.*)Z$",
        r"^.*alpine.*$",
        r"^[\w.-]+-alpine[\d.]*$",
        r"^(\w+[.-])*x$",
        r"^([^.]+\.)+x$",
        r"^([^.-]+[.-])+x$",
        r"^(\S\s)*x$",
        r"(\d\D)*",
        r"(\w\W)*",
        r"^(alpine|debian|slim)?$",
        "(a|b)*",
        "(ab|cd)*?x",
        "(?>ab)*",
        "(ab)*+",
        r"^(?!.*rc)(?!.*beta)(?!.*alpha)(?!.*dev)\d",
        r"^.*x.*y.*z$",
        r"^((?!rc|beta).)*$",
        r"(?<=v)\d+",
        "(?i)^v1",
        "(a?)*",
    ],
)
def test_what_people_write_is_taken(text: str) -> None:
    """Repeats inside of repeats among it, as long as each turn has a character of its own."""
    assert parse_pattern(text).pattern == text


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(a+)+", ENDLESS),
        (r"^(\d+\.?)+$", ENDLESS),
        ("^([a-z]+-?)+$", ENDLESS),
        ("(A+a+)+", ENDLESS),
        ("(.*)*", ENDLESS),
        (r"(\d|\d)*", ENDLESS),
        ("(a*|b*)c", ENDLESS),
        ("(a*)*?", ENDLESS),
        ("(a?b?)*", ENDLESS),
        ("(.+-)*", ENDLESS),
        ("([^.]+-)*", ENDLESS),
        ("(ab|a.)*", ENDLESS),
        (r"(\w+\s?)*", ENDLESS),
        (r"([.-]?\d+)*", ENDLESS),
        ("(a?){50}a{50}", ENDLESS),
        ("(a?){2,}", ENDLESS),
        (r"(\d{1,3}){1,30}", ENDLESS),
        ("x(?!(a+)+b)", ENDLESS),
        (".*.*.*.*x", PARTS),
        ("a?" * 10, PARTS),
        ("(.(?!.*.*x))*z", PARTS),
        (r"(a+)\1", "it could be tried for ever: it refers back to a group"),
        ("(a)?(?(1)b|c)", "it could be tried for ever: it refers back to a group"),
    ],
)
def test_what_could_be_tried_for_ever_is_refused(text: str, said: str) -> None:
    """Python's matcher cannot be interrupted: on some tag of 128 characters it would not come back."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        parse_pattern(text)


ATOMS = st.sampled_from(["a", "b", "-", ".", "[ab]", "[^a]", r"\d", r"\w", r"\.", "1"])
PATTERNS = st.recursive(
    ATOMS,
    lambda inner: st.one_of(
        st.lists(inner, min_size=2, max_size=3).map("".join),
        st.builds("({})".format, inner),
        st.builds("(?:{}|{})".format, inner, inner),
        st.builds("(?:{}){}".format, inner, st.sampled_from(["*", "+", "?", "{2}", "{1,3}", "*?"])),
    ),
    max_leaves=6,
)


@settings(deadline=None, derandomize=True, max_examples=300)
@given(PATTERNS, st.sampled_from(["a", "b", "1", "-", "ab", "a-", "1.", "a1"]))
def test_what_is_taken_comes_back(text: str, pumped: str) -> None:
    """After it has tried every way there is on a long tag: this test would not end otherwise."""
    try:
        pattern = parse_pattern(f"^{text}(?!)")
    except ValueError:
        return
    assert pattern.search((pumped * 128)[:128]) is None
