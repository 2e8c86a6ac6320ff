from __future__ import annotations

import pytest
import semver
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.versions import LONGEST_TAG, Version, is_tag, parse_version

WORDS = ("alpha", "beta", "canary", "dev", "nightly", "pre", "preview", "rc", "snapshot")
NUMBERS = st.integers(0, 30)
EARLY = st.one_of(st.just(""), st.builds("-{}.{}".format, st.sampled_from(WORDS), NUMBERS))
SEMVERS = st.builds("{}.{}.{}{}".format, NUMBERS, NUMBERS, NUMBERS, EARLY)


def order(text: str) -> object:
    version = parse_version(text)
    assert version is not None
    return version.order


@pytest.mark.parametrize(
    ("tag", "version"),
    [
        ("v1.2.3", Version((1, 2, 3))),
        ("V1", Version((1,))),
        ("1.2", Version((1, 2))),
        ("1", Version((1,))),
        ("1.2.3.4", Version((1, 2, 3, 4))),
        ("2024.01.15", Version((2024, 1, 15))),
        ("20240115", Version((20240115,))),
        ("1.2.3-rc.1", Version((1, 2, 3), ("rc", 1))),
        ("1.2.3-RC1", Version((1, 2, 3), ("rc", 1))),
        ("1.2.3_rc-1", Version((1, 2, 3), ("rc", 1))),
        ("1.2.3.rc1", Version((1, 2, 3), ("rc", 1))),
        ("3.13.0rc2", Version((3, 13, 0), ("rc", 2))),
        ("3.13.0a1", Version((3, 13, 0), ("a", 1))),
        ("3.13.0b2-slim", Version((3, 13, 0), ("b", 2), "-slim")),
        ("1.2-beta", Version((1, 2), ("beta",))),
        ("1.2-nightly.20240115.3", Version((1, 2), ("nightly", 20240115, 3))),
        ("2.0.0-M3", Version((2, 0, 0), ("m", 3))),
        ("2.0.0.M3", Version((2, 0, 0), ("m", 3))),
        ("1.2-rc1-alpine3.18", Version((1, 2), ("rc", 1), "-alpine3.18")),
        ("1.2-alpine3.18", Version((1, 2), suffix="-alpine3.18")),
        ("1.25.3-alpine", Version((1, 25, 3), suffix="-alpine")),
        ("1.2.3-1", Version((1, 2, 3), suffix="-1")),
        ("1.2.3-m", Version((1, 2, 3), suffix="-m")),
        ("1.2.3-prefork", Version((1, 2, 3), suffix="-prefork")),
        ("1.2.3-devel", Version((1, 2, 3), suffix="-devel")),
        ("8u392-jdk", Version((8,), suffix="u392-jdk")),
        ("9b", Version((9,), suffix="b")),
        ("1.", Version((1,), suffix=".")),
    ],
)
def test_a_tag_is_numbers_a_prerelease_and_a_suffix(tag: str, version: Version) -> None:
    """What follows the numbers is a pre-release if its word is known to mean one, and a suffix otherwise."""
    assert parse_version(tag) == version


@pytest.mark.parametrize(
    "tag",
    ["", "latest", "alpine", "v", "x1.2", "release-1.2", "1234abc", "0a1b2c3d4e5f", "-1", ".1", "1" * 129, "\u0661"],
)
def test_what_names_no_version(tag: str) -> None:
    """Words, commits that begin with a digit, and what no tag can be."""
    assert parse_version(tag) is None


def test_a_long_tag_is_read_in_a_moment() -> None:
    """The grammar does not try the ways in which the digits of a pre-release could be grouped."""
    tag = "1-rc" + "1" * 120 + "x"
    assert parse_version(tag) == Version((1,), suffix=tag[1:])


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        ("1.9", "1.10"),
        ("1.2.3", "1.2.3.1"),
        ("1.2.3-rc.9", "1.2.3-rc.10"),
        ("1.2.3-rc9", "1.2.3-rc10"),
        ("1.2.3-rc.1", "1.2.3"),
        ("1.2.2", "1.2.3-alpha"),
        ("1.2.3-beta", "1.2.3-beta.1"),
        ("1.2.3-beta.2", "1.2.3-rc.1"),
    ],
)
def test_versions_are_ordered_as_in_semver(older: str, newer: str) -> None:
    """By numbers, a pre-release before its release, pre-releases by word and number."""
    assert order(older) < order(newer)  # type: ignore[operator]


@pytest.mark.parametrize("same", ["1.4.0", "v1.4", "01.04", "1.4-1", "1.4-alpine"])
def test_zeros_prefixes_and_suffixes_make_no_other_version(same: str) -> None:
    """So that none of them is an update of another."""
    assert order(same) == order("1.4")


@settings(deadline=None)
@given(SEMVERS, SEMVERS)
def test_the_order_is_that_of_semver(one: str, other: str) -> None:
    """SemVer 2.0.0, 11, as the semver package has it."""
    assert (order(one) < order(other)) == (semver.Version.parse(one) < semver.Version.parse(other))  # type: ignore[operator]


@settings(deadline=None)
@given(st.text(max_size=140))
def test_any_text_is_read_or_is_no_version(text: str) -> None:
    """Nothing is raised, and what is read takes up the text from its first number to its end."""
    version = parse_version(text)
    assert version is None or (len(text) <= LONGEST_TAG and text.endswith(version.suffix))


@pytest.mark.parametrize("tag", ["1.2", "latest", "_x", "a" * 128, "sha256-abc", "sha256-" + "a" * 65])
def test_tags(tag: str) -> None:
    """As the OCI distribution spec has them."""
    assert is_tag(tag)


@pytest.mark.parametrize(
    "tag",
    [
        "",
        "a" * 129,
        "-1",
        ".1",
        "a b",
        "a\n",
        "é",
        *(f"sha256-{'a' * 64}{end}" for end in ("", ".sig", ".att", ".sbom")),
    ],
)
def test_what_is_no_tag_to_follow(tag: str) -> None:
    """What a registry would not take, and what it keeps signatures and the like under."""
    assert not is_tag(tag)
