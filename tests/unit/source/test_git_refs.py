"""Which tag is the newest in a range."""

from __future__ import annotations

import pytest

from reconciler.following.ranges import parse_range
from reconciler.model.settings import GitRef
from reconciler.source.git.refs import asked_for, chosen, newest, parsed

TAGS = ["v1.2.0", "v1.10.0", "1.10", "v2.0.0-rc.1", "v1.9.9-alpine", "nightly", "v1.3.0+build.7"]


@pytest.mark.parametrize(
    ("wanted", "tag"),
    [
        ("^1", "v1.10.0"),
        ("~1.2", "v1.2.0"),
        ("1.3.x", "v1.3.0+build.7"),
        (">=2.0.0-rc.0", "v2.0.0-rc.1"),
        (">=2", None),
        ("1.9.x", None),
    ],
)
def test_the_newest_of_a_range(wanted: str, tag: str | None) -> None:
    """Suffixes are no versions here, build metadata says nothing, and the longer of two equal names is taken."""
    assert newest(TAGS, parse_range(wanted)) == tag


def test_only_the_ref_itself_counts() -> None:
    """A pattern of ls-remote also finds refs whose names end alike."""
    listing = f"{'a' * 40}\trefs/heads/x/refs/heads/main\n{'b' * 40}\trefs/heads/main\nwarning\tof something\n".encode()
    target = chosen(GitRef("branch", "main"), parsed(listing), "here")
    assert (target.object, target.tag) == ("b" * 40, False)


def test_a_peeled_tag_is_no_tag_of_its_own() -> None:
    listing = f"{'a' * 40}\trefs/tags/v1\n{'b' * 40}\trefs/tags/v1^{{}}\n".encode()
    for ref in (GitRef("tag", "v1"), GitRef("semver", "1")):
        assert chosen(ref, parsed(listing), "here").object == "a" * 40
        assert asked_for(ref)[0] == "--tags"
