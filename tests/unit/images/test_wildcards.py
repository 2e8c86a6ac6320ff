from __future__ import annotations

import re
from itertools import product

import pytest

from reconciler.errors import SpecError
from reconciler.images.dockerignore import MAX_PATTERNS, parse_ignore
from reconciler.images.wildcards import FOLDERS, NAME, REST, Walk

PATHS = ["".join(letters) for size in range(5) for letters in product("a/b", repeat=size)]
PARTS = (NAME, REST, FOLDERS, "a", "[^/]", "/")


@pytest.mark.parametrize("size", [1, 2, 3, 4])
def test_a_walk_matches_what_its_expression_matches(size: int) -> None:
    """Every pattern of up to four parts agrees with the regular expression on every short path."""
    for parts in product(PARTS, repeat=size):
        if sum(part == REST for part in parts[:-1]):
            continue
        expression, walk = re.compile("".join(parts) + r"\Z", re.DOTALL), Walk(parts)
        wrong = [path for path in PATHS if walk.match(path) != bool(expression.match(path))]
        assert not wrong, (parts, wrong[:3])


def test_a_pattern_of_many_wildcards_is_matched_at_once() -> None:
    """A regular expression would try more ways than there are atoms."""
    ignore = parse_ignore(b"*a" * 100 + b"b\n" + b"**/a/" * 20 + b"b\n", ".dockerignore")
    assert not ignore.ignores("a" * 200)
    assert ignore.ignores("a" * 200 + "b")
    assert not ignore.ignores("/".join(["a"] * 60))
    assert ignore.ignores("/".join(["a"] * 60) + "/b")


def test_the_number_of_patterns_is_bounded() -> None:
    """Each costs time for every file of the context."""
    assert len(parse_ignore(b"a*\n" * MAX_PATTERNS, ".dockerignore").patterns) == MAX_PATTERNS
    with pytest.raises(SpecError, match=f".dockerignore: more than {MAX_PATTERNS} patterns"):
        parse_ignore(b"a*\n" * (MAX_PATTERNS + 1), ".dockerignore")
