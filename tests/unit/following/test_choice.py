from __future__ import annotations

import re
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reconciler.following.choice import candidates
from reconciler.following.patterns import LONGEST_PATTERN, parse_pattern
from reconciler.following.versions import Version, parse_version
from reconciler.model.project import Following

HOUR = 3600.0
MONDAY_NOON = datetime(2026, 3, 2, 12, tzinfo=UTC).timestamp()
TUESDAY_TWO = datetime(2026, 3, 3, 2, tzinfo=UTC).timestamp()


def semver(**settings: object) -> Following:
    return Following(track="semver", **settings)  # type: ignore[arg-type]


def found(written: str, tags: str, running: str | None = None, **settings: object) -> str:
    """The candidates among tags, joined as the tags are."""
    return " ".join(candidates(written, running, tags.split(), semver(**settings)))


def test_the_next_versions_up_to_the_next_major_one() -> None:
    """What is followed unless the spec says more: `^` and the tag, as many numbers, newest first."""
    assert found("1.4", "latest 1.3 1.4 1.4.2 1.10 1.9 2.0 1") == "1.10 1.9 1.4"
    assert found("1.4.2", "1.3.9 1.4.2 1.4.3 1.5 1.5.0 2.0.0") == "1.5.0 1.4.3 1.4.2"


def test_a_suffix_stays_as_it_is() -> None:
    """`1.2-alpine` never becomes `1.2`, nor another alpine; a build number at the end is a suffix too."""
    tags = "1.2 1.3 1.2-alpine 1.3-alpine 1.4-alpine3.19 1.4-slim 1.3-1 1.5.1-alpine"
    assert found("1.2-alpine", tags) == "1.3-alpine 1.2-alpine"
    assert found("1.2", tags) == "1.3 1.2"
    assert found("1.2-alpine3.18", tags) == ""
    assert found("1.2-1", tags) == "1.3-1"


def test_prereleases_are_followed_where_one_is_named() -> None:
    """By the tag that is written or by the range."""
    tags = "1.4-rc.1 1.4-rc.2 1.4 1.5-rc.1"
    assert found("1.3", tags) == "1.4"
    assert found("1.4-rc.1", tags) == "1.4 1.4-rc.2 1.4-rc.1"
    assert found("1.3", tags, range=">=1.4-rc.1") == "1.4 1.4-rc.2 1.4-rc.1"
    assert found("1.3", tags, range="^1.3-0") == "1.5-rc.1 1.4 1.4-rc.2 1.4-rc.1"
    assert found("3.13.0a1-slim", "3.13.0b2-slim 3.13.0rc1 3.13.0-slim") == "3.13.0-slim 3.13.0b2-slim"


def test_a_tag_without_a_version_admits_every_release_without_a_suffix() -> None:
    """`latest` says neither how many numbers there are nor from where on."""
    assert found("latest", "latest 1 1.4 1.5.2 1.5.2-alpine 2.0.0-rc.1 1.6") == "1.6 1.5.2 1.4 1"
    assert found("latest", "1.4 1.5.2 2", range="1.x") == "1.5.2 1.4"


def test_of_equal_versions_one_is_taken() -> None:
    """The one that runs, else the one written, else the one with more numbers, else one written alike, else by text."""
    assert found("1.4", "v1.5 1.5 V1.5", running="v1.5") == "v1.5"
    assert found("v1.4", "1.4 v1.4 1.5 v1.5") == "v1.5 v1.4"
    assert found("1.4", "1.5 v1.5") == "1.5"
    assert found("latest", "2 2.0 2.0.0") == "2.0.0"
    assert found("1.4", "01.5 1.05 1.5") == "01.5"


def test_nothing_is_older_than_what_runs() -> None:
    """Nor than what is written, where nothing runs yet; nor another name of what runs."""
    assert found("1.4", "1.4 1.5 1.6 1.7", running="1.6") == "1.7 1.6"
    assert found("1.4", "1.3 1.4 1.5", range="1.x") == "1.5 1.4"
    assert found("1.4", "1.3 v1.4 1.5", range="1.x") == "1.5"
    assert found("1.4", "1.4 v1.6 1.5", running="1.6") == ""


@pytest.mark.parametrize("running", ["1.8", "1.6-alpine", "1.6.1", "latest"])
def test_what_the_policy_does_not_admit_holds_nothing_back(running: str) -> None:
    """A range that was narrowed, another suffix or another number of parts leads down on purpose."""
    assert found("1.4", "1.4 1.5 1.6 1.8", running=running, range="<1.7") == "1.6 1.5 1.4"


def test_a_filter_leaves_tags_out() -> None:
    """It is searched for in the whole tag."""
    assert found("1.4", "1.4 1.5 1.6 1.7", filter="[46]$") == "1.6 1.4"
    assert found("1.4", "1.5 1.6", filter="6", running="1.5") == "1.6"


@pytest.mark.parametrize(
    "extract", [r"^(?:main|dev)-(?P<version>.*)$", r"^(?:main|dev)-(.*)$", r"\d.*", r"(?P<branch>\w+)-(?P<version>.*)"]
)
def test_a_version_is_extracted(extract: str) -> None:
    """By the group `version`, else the first one, else all that matches; its suffix has to be that of the written."""
    tags = "main-1.5 main-1.10 main-1.9-arm main-2.0 1.7x main-"
    assert found("main-1.4", tags, extract=extract) == "main-1.10 main-1.5"
    assert found("main-1.4-arm", tags, extract=extract) == "main-1.9-arm"


def test_a_group_that_is_not_there_is_no_version() -> None:
    """An alternative without it, and a written tag in which nothing is found."""
    assert found("1.4", "1.5 x1.6", extract=r"^(\d.*)|x") == "1.5"
    assert found("latest", "b1 b12 b7", extract=r"b(\d+)") == "b12 b7 b1"


def test_what_registries_keep_beside_images_is_never_followed() -> None:
    """Signatures and the like, and what is no tag, whatever is extracted."""
    digest = "a" * 64
    tags = f"sha256-{digest} sha256-{digest}.sig sha256-1 1.9/evil"
    assert found("latest", tags, extract=r"(\d+)") == "sha256-1"


def test_without_tags_there_is_nothing() -> None:
    """A repository may be empty."""
    assert candidates("1.4", None, (), semver()) == ()


SUFFIXES = ("", "-alpine", "-alpine3.18", "-1", "-rc.1", "rc2", "-rc.1-alpine")
TAGS = st.builds(
    "{}{}{}".format,
    st.sampled_from(["", "v"]),
    st.lists(st.integers(0, 3), min_size=1, max_size=3).map(lambda numbers: ".".join(map(str, numbers))),
    st.sampled_from(SUFFIXES),
)
LISTINGS = st.lists(st.one_of(TAGS, st.sampled_from(["latest", "main"])), max_size=12)
RANGES = st.sampled_from(["", "*", "^1", "<2", ">=1-0", "1.x || 3.x", "~0.1"])


def _version(tag: str) -> Version:
    version = parse_version(tag)
    assert version is not None
    return version


@settings(deadline=None)
@given(TAGS, st.one_of(st.none(), TAGS), LISTINGS, RANGES, st.randoms())
def test_what_always_holds(written: str, running: str | None, tags: list[str], text: str, random: object) -> None:
    """Never another suffix or number of parts, never a downgrade, newest first; the listing's order says nothing."""
    following = semver(range=text)
    chosen = candidates(written, running, tags, following)
    versions = [_version(tag) for tag in chosen]
    like = _version(written)
    assert {*chosen} <= {*tags}
    assert all((one.suffix, len(one.numbers)) == (like.suffix, len(like.numbers)) for one in versions)
    orders = [one.order for one in versions]
    assert orders == sorted({*orders}, reverse=True)
    base = running or written
    if base in candidates(written, base, [base], following):
        assert all(order > _version(base).order for tag, order in zip(chosen, orders, strict=True) if tag != base)
    random.shuffle(tags)  # type: ignore[attr-defined]
    assert candidates(written, running, tags, following) == chosen
    again = candidates(written, chosen[0] if chosen else running, tags, following)
    assert again == chosen[:1], "what was followed once stays"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("(a", "'(a' is not a regular expression: missing ), unterminated subpattern at character 1"),
        ("ab**", "'ab**' is not a regular expression: multiple repeat at character 4"),
        ("(?<version>a)", "'(?<version>a)' is not a regular expression: unknown extension ?<v at character 2"),
        ("[[a]", "'[[a]' will not always mean what it means now: Possible nested set at position 1"),
        ("a{99999999999}", "'a{99999999999}' is too large for a regular expression"),
        ("(?P<n>a)(?(m)b)", "'(?P<n>a)(?(m)b)' is not a regular expression: unknown group name 'm' at character 12"),
        ("a" * (LONGEST_PATTERN + 1), "the regular expression is longer than 200 characters"),
    ],
)
def test_what_is_no_regular_expression_is_named(text: str, said: str) -> None:
    """With the place that is wrong."""
    with pytest.raises(ValueError, match=f"^{re.escape(said)}$"):
        parse_pattern(text)


@settings(deadline=None)
@given(st.one_of(st.text(max_size=40), st.text("ab.*+?{1,}()[]|^$\\P<n>:=!-d", max_size=40)))
def test_any_text_is_a_regular_expression_or_is_refused(text: str) -> None:
    """Nothing but ValueError is raised, and nothing is warned of."""
    try:
        parse_pattern(text)
    except ValueError:
        return
