"""The images that a Dockerfile mentions, and where."""

from __future__ import annotations

import pytest

from reconciler.images.dockerfile.lines import replaced
from reconciler.images.dockerfile.mentions import Mentions, find_images


def find(text: str, target: str | None = None, /, **arguments: str) -> Mentions:
    return find_images(text, arguments, target, "linux/arm64/v8", "linux/amd64")


def images(text: str, target: str | None = None, /, **arguments: str) -> list[str]:
    return [place.image for place in find(text, target, **arguments).places]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("FROM alpine:3", ["alpine:3"]),
        ("from  alpine:3  as  build", ["alpine:3"]),
        ("FROM scratch\nCOPY . /", []),
        ("FROM --platform=$BUILDPLATFORM golang AS build\nFROM alpine\nCOPY --from=build /x /", ["golang", "alpine"]),
        ("FROM a AS One\nFROM ONE", ["a"]),
        ("FROM a\nCOPY --chown=1 --from=nginx:1 /x /y", ["a", "nginx:1"]),
        ("FROM a AS x\nFROM b\nCOPY --from=0 /x /y\nCOPY --from=7 /x /y", ["a", "b", "7"]),
        ('FROM a\nCOPY --from="nginx" ["/x", "/y"]', ["a", "nginx"]),
        ("FROM a\nRUN --mount=type=bind,from=tools:1,target=/t --mount=from=more cp", ["a", "tools:1", "more"]),
        ("FROM a\nRUN --mount=type=cache,target=/from=x true", ["a"]),
        ("FROM a\nRUN true --mount=from=b", ["a"]),
        ("FROM a\nADD --from=b /x /y", ["a"]),
        ("FROM a\nONBUILD COPY --from=b /x /y", ["a"]),
        ("FROM a\nRUN <<EOF\nFROM b\nEOF\nCOPY --from=c x y", ["a", "c"]),
        ("FROM a\nRUN cat <<-'E' 3<<\"F\"\nCOPY --from=b x y\n\tE\nFROM c\nF\nCOPY --from=d x y", ["a", "d"]),
        ("FROM a\nONBUILD RUN <<E\nFROM b\nE\n", ["a"]),
        ('FROM a\nRUN echo "<<E"\nCOPY --from=b x y', ["a", "b"]),
        ("FROM a\nRUN one \\\n# a comment\n\n  two \\ \nFROM b", ["a"]),
        ("FROM a\nRUN dir C:\\\\\nCOPY --from=b x y", ["a", "b"]),
        ("# escape=`\nFROM a\nRUN dir c:\\\nCOPY --from=b ` \n x y", ["a", "b"]),
        ("FROM a\r\nCOPY --from=b x y\r\n", ["a", "b"]),
        ("\ufeffFROM a", ["a"]),
        ("FROM\nFROM a", ["a"]),
        ("FROM a AS x\nFROM x AS y\nFROM y\nCOPY --from=x a b", ["a"]),
        ("COPY --from=a x y\nFROM b", ["b"]),
        ("FROM b@sha256:1", ["b@sha256:1"]),
        ("\n# only a comment\n\\", []),
    ],
)
def test_what_is_external_is_found(text: str, expected: list[str]) -> None:
    """FROM, COPY --from and RUN --mount=from; no stages, no numbers of stages, nothing in comments and heredocs."""
    assert images(text) == expected


@pytest.mark.parametrize(
    ("target", "expected"),
    [
        (None, ["c"]),
        ("one", ["a"]),
        ("TWO", ["a", "b", "nginx"]),
        ("1", ["a", "b", "nginx"]),
        ("none", ["a", "b", "nginx", "c"]),
    ],
)
def test_only_what_the_target_needs_counts(target: str | None, expected: list[str]) -> None:
    """As in BuildKit; where there is no such target the builder will say so."""
    text = "FROM a AS one\nFROM b AS two\nCOPY --from=one x y\nCOPY --from=nginx x y\nFROM c\n"
    assert images(text, target) == expected


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("$BASE", "alpine"),
        ("${BASE}:$V", "alpine:3"),
        ("${NONE:-x}", "x"),
        ("${EMPTY:-x}y", "xy"),
        ("${EMPTY-x}y", "y"),
        ("${NONE-x}", "x"),
        ("${BASE:+x}", "x"),
        ("${NONE:+x}y", "y"),
        ("${EMPTY+x}", "x"),
        ("${BASE:?gone}", "alpine"),
        ("${NONE:-${BASE}-slim}", "alpine-slim"),
        ("b-$TARGETARCH-$TARGETVARIANT", "b-arm64-v8"),
        ("b-${BUILDPLATFORM}", "b-linux/amd64"),
        ('"$BASE"', "alpine"),
        ("'x$BASE'", "x$BASE"),
        ("\\$x", "$x"),
        ('"\\x\\$"', "\\x$"),
        ("a$", "a$"),
        ("$QUOTED", "x"),
        ("$SECOND", "alpine-2"),
        ("'open", "open"),
    ],
)
def test_variables_are_replaced(written: str, expected: str) -> None:
    """By build arguments, else by their defaults before the first FROM, platforms by themselves."""
    start = 'ARG BASE=debian V=3\nARG EMPTY=\nARG NONE\nARG QUOTED="x"\nARG SECOND=$BASE-2\n'
    assert images(f"{start}FROM {written}", BASE="alpine") == [expected]


@pytest.mark.parametrize("written", ["$NONE", "${V#x}", "${V", "${}", "${NONE:?no}", "$CUT", "${NONE?}"])
def test_what_cannot_be_resolved_is_named(written: str) -> None:
    """As it is written; nothing is guessed."""
    found = find(f"ARG V=1\nARG CUT=${{V%x}}\nFROM {written}")
    assert found == Mentions(unknown=(written,))


def test_variables_of_stages_are_none_of_from() -> None:
    """Only what stands before the first FROM counts, and --from knows no variables."""
    assert find("FROM a\nARG X=b\nFROM $X\nCOPY --from=$X x y").unknown == ("$X",)


def test_a_platform_may_be_an_argument() -> None:
    """Build arguments win over what is known by itself."""
    assert images("FROM b-$TARGETARCH", TARGETARCH="mips") == ["b-mips"]


@pytest.mark.parametrize(
    ("top", "expected"),
    [
        ("# syntax=docker/dockerfile:1\n", "docker/dockerfile:1"),
        ("#!/usr/bin/x\n# check=skip=all\n#SYNTAX = a/b --arg\n", "a/b"),
        ("# a comment\n# syntax=x\n", None),
        ("\n# syntax=x\n", None),
    ],
)
def test_the_frontend_is_an_image_too(top: str, expected: str | None) -> None:
    """Named by a directive, which stands above everything."""
    found = find(f"{top}FROM a").syntax
    assert (found.image if found else None) == expected


def test_a_place_is_replaced_where_it_stands() -> None:
    """Across continued lines, with all else as it was."""
    text = "# syntax=s:1\nARG V=3\nFROM alp\\\n# no\nine:${V} AS x\nCOPY --from=b /b /c\n"
    found = find(text, "x")
    place, other = found.places
    assert other.image == "b"
    assert found.syntax
    pins = {(place.start, place.end): "PIN", (found.syntax.start, found.syntax.end): "S"}
    assert replaced(text, pins) == "# syntax=S\nARG V=3\nFROM PIN AS x\nCOPY --from=b /b /c\n"
