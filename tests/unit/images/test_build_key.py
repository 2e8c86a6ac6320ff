"""The content key of a build and the tag made of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.images.build_key import with_key
from reconciler.model.project import Build

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def build(tmp_path: Path) -> Build:
    root = tmp_path / "one"
    root.mkdir()
    (root / "Dockerfile").write_text("FROM scratch\nCOPY a /\n")
    (root / "a").write_text("content")
    (root / "ignored").write_text("1")
    (root / ".dockerignore").write_text("ignored\n")
    return Build(str(root), str(root / "Dockerfile"), args=(("A", "1"), ("B", "2")))


def key(build: Build, platform: str | None = None) -> str:
    return with_key(build, "shop", "web", "", platform).key


def test_same_input_has_the_same_key_anywhere(build: Build, tmp_path: Path) -> None:
    """A copy in another folder, other times and another order of arguments change nothing."""
    copy = tmp_path / "elsewhere"
    shutil.copytree(build.context, copy)
    os.utime(copy / "a", (1, 1))
    moved = replace(build, context=str(copy), dockerfile=str(copy / "Dockerfile"), args=(("B", "2"), ("A", "1")))
    assert key(moved) == key(build)
    assert len(key(build)) == 64


def test_what_is_ignored_does_not_count(build: Build) -> None:
    """A change that the builder cannot see is no reason to build again."""
    before = key(build)
    with open(f"{build.context}/ignored", "w") as file:  # noqa: PTH123 - the build holds texts
        file.write("2")
    assert key(build) == before


@pytest.mark.parametrize(
    "change",
    [
        {"args": (("A", "2"), ("B", "2"))},
        {"args": (("A", "1"),)},
        {"target": "final"},
        {"labels": (("x", "y"),)},
        {"dockerfile_inline": "FROM scratch\n"},
    ],
)
def test_everything_the_build_reads_counts(build: Build, change: dict[str, Any]) -> None:
    """Arguments, target, labels and the Dockerfile's bytes are part of the key."""
    assert key(replace(build, **change)) != key(build)


def test_platform_counts(build: Build) -> None:
    """The same files built for another platform are another image."""
    assert key(build, "linux/arm64") != key(build)


@pytest.mark.parametrize(
    ("reference", "repository"),
    [
        ("", "shop-web"),
        ("registry.example.com:5000/team/web:1.4", "registry.example.com:5000/team/web"),
        ("app", "app"),
    ],
)
def test_tag_is_made_of_the_key(build: Build, reference: str, repository: str) -> None:
    """The tag is immutable: the repository of `image`, or project and service, and 16 digits of the key."""
    keyed = with_key(build, "Shop", "web", reference, None)
    assert keyed.tag == f"{repository}:bk-{keyed.key[:16]}"
