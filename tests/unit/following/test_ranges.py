from __future__ import annotations

import re
from collections.abc import Callable

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.ranges import LONGEST_RANGE, parse_range
from reconciler.following.versions import parse_version

Numbers = tuple[int, ...]


def admits(text: str, tag: str, written: str = "") -> bool:
    version = parse_version(tag)
    assert version is not None
    return parse_range(text, parse_version(written)).admits(version)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", "1.2 1.2.0 1.9 1.99.1", "1.1.9 2 2.0.0"),
        ("^1.2.3", "1.2.3 1.3.0", "1.2.2 2.0"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3 0.0.3.1", "0.0.4 0.1"),
        ("^0.0", "0.0.9", "0.1"),
        ("^0", "0.9", "1"),
        ("^1.x", "1.0 1.9", "2.0"),
        ("^1.2.3.4", "1.2.3.4 1.9", "1.2.3.3 2"),
        ("~1.2.3", "1.2.3 1.2.9", "1.3 1.2.2"),
        ("~>1.2", "1.2 1.2.9", "1.3"),
        ("~1", "1.9", "2"),
        ("1.x", "1.0 1.4.2", "2 0.9"),
        ("1.2.*", "1.2.9", "1.3"),
        ("1.2.x.x", "1.2.9", "1.3"),
        ("v1.2", "1.2 1.2.9", "1.3"),
        ("*", "0 99", ""),
        ("x", "0 99", ""),
        (">=*", "0 99", ""),
        ("<=*", "0 99", ""),
        (">=1.2 <2", "1.2 1.9.9", "1.1 2"),
        (">= 1.2, < 2", "1.2 1.9.9", "1.1 2"),
        (">=1.2,<2,", "1.2 1.9.9", "1.1 2"),
        (">1.2", "1.3", "1.2 1.2.9"),
        (">1.2.3", "1.2.4 1.2.3.1", "1.2.3"),
        ("<=1.2", "1.2.9", "1.3"),
        ("<=1.2.3", "1.2.3", "1.2.4"),
        ("<1.2.3", "1.2.2", "1.2.3"),
        ("1.2 - 1.4", "1.2 1.4.9", "1.1.9 1.5"),
        ("1.2.3 - 2.3.4", "1.2.3 2.3.4", "1.2.2 2.3.5"),
        ("=1.2.3", "1.2.3 v1.2.3", "1.2.4"),
        ("1.2.3", "1.2.3", "1.2.4 1.2"),
        ("1 || 3", "1.5 3.1", "2 4"),
        ("<1 || >=2 <3 || 4.1.x", "0.5 2.5 4.1.2", "1 3 4.2"),
        (" 1.x ", "1.5", "2"),
        ("2024", "2024.01.15 2024.12", "2025.01"),
    ],
)
def test_ranges_mean_what_npm_and_masterminds_mean(text: str, inside: str, outside: str) -> None:
    """Each operator, with one to four numbers."""
    assert [tag for tag in inside.split() if not admits(text, tag)] == []
    assert [tag for tag in outside.split() if admits(text, tag)] == []


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("^1.2", "1.3", "1.3-rc.1 1.2-rc.1 2.0-rc.1"),
        ("^1.2.3-rc.2", "1.2.3-rc.2 1.2.3-rc.3 1.2.3 1.3.0", "1.2.3-rc.1 1.3.0-rc.1 1.2.4-rc.1 2.0.0-rc.1"),
        ("^1.2-rc", "1.2-rc 1.2-rc.1 1.2.0-rc.1", "1.2-beta 1.3-rc"),
        (">=1.2.3-beta <1.2.3", "1.2.3-beta 1.2.3-rc", "1.2.3 1.2.2"),
        ("=1.2.3-rc1", "1.2.3-rc.1", "1.2.3 1.2.3-rc.2"),
        ("<=1.2.3-rc.2", "1.2.2 1.2.3-rc.2", "1.2.3-rc.3 1.2.3"),
        ("<1.2.3-rc.2", "1.2.2 1.2.3-rc.1", "1.2.3-rc.2"),
        (">1.2.3-rc.2", "1.2.3-rc.3 1.2.3", "1.2.3-rc.2"),
        ("^1.2-0", "1.2-alpha 1.3-rc.1 1.9", "1.1 2.0-rc.1"),
        (">=1.2-0 <2", "1.2-alpha 1.3-rc.1", "2.0-rc.1"),
        ("1.x || ^2.0.0-rc.1", "1.5 2.0.0-rc.2", "1.5-rc.1"),
    ],
)
def test_prereleases_are_meant_by_name_only(text: str, inside: str, outside: str) -> None:
    """As with npm, of the version that is named; `-0` names all; `<2` is below the pre-releases of 2."""
    test_ranges_mean_what_npm_and_masterminds_mean(text, inside, outside)


def test_the_written_version_is_the_range_unless_there_is_one() -> None:
    """An empty range is `^` and the version of the tag; a pre-release that is written is named by that."""
    assert admits("", "1.9", "1.4")
    assert not admits("", "2.0", "1.4")
    assert not admits("", "1.3", "1.4")
    assert admits("", "99")
    assert not admits("", "99-rc.1")
    assert admits("", "1.4-rc.2", "1.4-rc.1")
    assert admits("^1.2", "1.4.0-rc.2", "1.4-rc.1")
    assert not admits("^1.2", "1.5-rc.1", "1.4-rc.1")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("newest", "'newest' in the range 'newest' cannot be read"),
        ("1.2.", "'1.2.' in the range '1.2.' cannot be read"),
        ("1.x.2", "'1.x.2' in"),
        ("^", "'^' in"),
        (">>1", "'>>1' in"),
        ("!=1", "'!' in"),
        ("1 ||", "'nothing' in the range '1 ||' cannot be read"),
        ("1 | 2", "'|' in"),
        (", 1", "', 1' in"),
        ("1 -", "'-' in"),
        ("1 - 2 - 3", "'-' in"),
        ("<*", "nothing is '<*', as the range '<*' has it"),
        ("1 >x", "nothing is '>x', as"),
        (
            "^1.2-alpine",
            "'-alpine' in the range '^1.2-alpine' is no pre-release: suffixes are those of the image's tag",
        ),
        ("^1.2-rc1-alpine", "'-rc1-alpine' in"),
        ("1.2.3+build", "'1.2.3+build' in"),
        ("1" * (LONGEST_RANGE + 1), "the range is longer than 200 characters"),
        ("1." * 80 + "1-rc", "'-rc' in"),
    ],
)
def test_what_cannot_be_read_is_named(text: str, said: str) -> None:
    """With the part that is wrong."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}"):
        parse_range(text)


NUMBERS = st.lists(st.integers(0, 3), min_size=1, max_size=3).map(tuple)
WHOLE = st.tuples(st.integers(0, 4), st.integers(0, 4), st.integers(0, 4))


def _first(bound: Numbers) -> int:
    return next((index for index, number in enumerate(bound) if number), len(bound) - 1)


def _padded(bound: Numbers) -> Numbers:
    return (*bound, 0, 0, 0)[:3]


ORACLE: dict[str, Callable[[Numbers, Numbers], bool]] = {
    "": lambda version, bound: version[: len(bound)] == bound,
    "=": lambda version, bound: version[: len(bound)] == bound,
    ">": lambda version, bound: version[: len(bound)] > bound,
    ">=": lambda version, bound: version >= _padded(bound),
    "<": lambda version, bound: version < _padded(bound),
    "<=": lambda version, bound: version[: len(bound)] <= bound,
    "~": lambda version, bound: version >= _padded(bound) and version[:2][: len(bound)] == bound[:2],
    "^": lambda version, bound: (
        version >= _padded(bound) and version[: _first(bound) + 1] == bound[: _first(bound) + 1]
    ),
}
BOUNDS = st.tuples(st.sampled_from(sorted(ORACLE)), NUMBERS)


def _shown(numbers: Numbers) -> str:
    return ".".join(map(str, numbers))


@settings(deadline=None)
@given(st.lists(st.lists(BOUNDS, min_size=1, max_size=3), min_size=1, max_size=3), WHOLE, st.sampled_from([" ", ", "]))
def test_ranges_agree_with_an_oracle(
    alternatives: list[list[tuple[str, Numbers]]], version: Numbers, and_: str
) -> None:
    """Numbers compared by slices of tuples: whatever bounds are joined, and however."""
    text = " || ".join(and_.join(sign + _shown(bound) for sign, bound in bounds) for bounds in alternatives)
    expected = any(all(ORACLE[sign](version, bound) for sign, bound in bounds) for bounds in alternatives)
    assert admits(text, _shown(version)) == expected


@settings(deadline=None)
@given(NUMBERS, NUMBERS, WHOLE)
def test_hyphens_agree_with_an_oracle(low: Numbers, high: Numbers, version: Numbers) -> None:
    """From the lower end on, up to all that begins as the upper one does."""
    expected = ORACLE[">="](version, low) and ORACLE["<="](version, high)
    assert admits(f"{_shown(low)} - {_shown(high)}", _shown(version)) == expected


@settings(deadline=None)
@given(st.one_of(st.text(max_size=30), st.text("0123.xX*vV^~<>=|,- rc", max_size=30)))
def test_any_text_is_a_range_or_is_refused(text: str) -> None:
    """Nothing but ValueError is raised."""
    try:
        found = parse_range(text)
    except ValueError:
        return
    assert found.alternatives
