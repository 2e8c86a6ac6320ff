"""The content key of a build and the tag made of it."""

from __future__ import annotations

import os
import shutil
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from reconciler.errors import SpecError
from reconciler.images.build_key import MAIN, content_key, pinned_instructions, platform_of, with_content, with_key
from reconciler.model.project import Build, BuildSecret, BuildUlimit

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
    for path in root.iterdir():
        path.chmod(0o644)
    return Build(str(root), str(root / "Dockerfile"), args=(("A", "1"), ("B", "2")))


def key(build: Build, platform: str | None = None) -> str:
    return with_key(with_content(build, "shop", "web", "", platform), {}).key


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
        {"contexts": (("base", "docker-image://x"),)},
        {"entitlements": ("network.host",)},
        {"extra_hosts": ("db=10.0.0.1",)},
        {"network": "host"},
        {"platforms": ("linux/amd64",)},
        {"privileged": True},
        {"secrets": (BuildSecret("a", content="b"),)},
        {"shm_size": 1},
        {"ulimits": (BuildUlimit("nofile", 1, 2),)},
    ],
)
def test_everything_the_build_reads_counts(build: Build, change: dict[str, Any]) -> None:
    """Arguments, target, labels, the Dockerfile's bytes and what commands see are part of the key."""
    assert key(replace(build, **change)) != key(build)


@pytest.mark.parametrize(
    "change",
    [
        {"cache_from": ("a",)},
        {"cache_to": ("a",)},
        {"no_cache": True},
        {"pull": True},
        {"ssh": ("default",)},
        {"tags": ("a",)},
    ],
)
def test_how_it_is_built_does_not_count(build: Build, change: dict[str, Any]) -> None:
    """Caches, flags, SSH keys and further tags change no image, and so are no reason to build one."""
    assert key(replace(build, **change)) == key(build)


@pytest.mark.parametrize(
    ("build", "platform", "expected"),
    [
        (Build("/c", ""), None, "823f9c90db76b1af67eb1a54e4f465297dbb513e1eb5c10dda409a52ef3e122f"),
        (
            Build("/c", "/c/Dockerfile", None, (("A", "1"),), "final", (("x", "y"),)),
            "linux/amd64",
            "84d507b6f2f27f405aec84b9bd36076f06b497fc46aa7806a094dfdc668c1c4f",
        ),
    ],
)
def test_keys_outlive_releases(build: Build, platform: str | None, expected: str) -> None:
    """A build that uses no new option has the key that it always had: nobody's images are built again."""
    assert content_key(build, {MAIN: "0" * 64}, b"FROM scratch\n", platform) == expected


def test_the_platform_of_the_service_is_the_one_that_is_built(build: Build) -> None:
    """The other platforms of the build are for others."""
    both = replace(build, platforms=("linux/amd64", "linux/arm64"))
    assert key(both, "linux/arm64") == key(build, "linux/arm64")
    assert platform_of(both, None) == "linux/amd64,linux/arm64"
    assert platform_of(build, None) is None


def test_the_content_of_an_additional_context_counts(build: Build, tmp_path: Path) -> None:
    """Where it lies does not, nor what its own ignore file leaves out; another name is another context."""
    for name in ("two", "three"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text("1")
        (tmp_path / name / ".dockerignore").write_text("ignored\n")
        (tmp_path / name / "ignored").write_text(name)
    first, moved = (replace(build, contexts=(("x", str(tmp_path / name)),)) for name in ("three", "two"))
    assert key(first) == key(moved)
    assert key(replace(first, contexts=(("y", moved.contexts[0][1]),))) != key(first)
    before = key(moved)
    (tmp_path / "two" / "file").write_text("2")
    assert key(moved) != before


def test_an_additional_context_has_to_be_there(build: Build) -> None:
    """Named, with the key to look at."""
    with pytest.raises(SpecError, match="/nowhere does not exist") as caught:
        key(replace(build, contexts=(("x", "/nowhere"),)))
    assert caught.value.hint == "build.additional_contexts.x names a folder or an address"


def test_a_secret_counts_by_id_and_content(build: Build, tmp_path: Path) -> None:
    """Where its content comes from does not."""
    (tmp_path / "secret").write_text("hidden")
    first = replace(build, secrets=(BuildSecret("a", content="hidden"),))
    assert key(replace(build, secrets=(BuildSecret("a", str(tmp_path / "secret")),))) == key(first)
    assert key(replace(build, secrets=(BuildSecret("b", content="hidden"),))) != key(first)
    assert key(replace(build, secrets=(BuildSecret("a", content="other"),))) != key(first)


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
    keyed = with_key(with_content(build, "Shop", "web", reference, None), {})
    assert keyed.tag == f"{repository}:bk-{keyed.key[:16]}"


def test_bases_count_by_what_they_stand_for(build: Build) -> None:
    """Without any, the key is the hash of the content: no image of scratch is built again."""
    content = with_content(build, "shop", "web", "", None)
    assert (content.key, content.tag) == ("", "shop-web")
    assert with_key(content, {}).key == content.content
    keys = {with_key(content, bases).key for bases in ({"a": "a@x"}, {"a": "a@y"}, {"b": "a@x"}, {})}
    assert len(keys) == 4
    assert with_key(content, {"b": "y", "a": "x"}).bases == (("a", "x"), ("b", "y"))


def test_bases_are_written_into_the_instructions(build: Build) -> None:
    """An id only where the builder knows ids."""
    pinned = replace(build, instructions="FROM a\nFROM b\n", pins=((5, 6, "a@sha256:1"), (12, 13, "sha256:2")))
    assert pinned_instructions(pinned, by_id=False) == b"FROM a@sha256:1\nFROM b\n"
    assert pinned_instructions(pinned, by_id=True) == b"FROM a@sha256:1\nFROM sha256:2\n"


@pytest.mark.parametrize("change", ["nothing", "content", "mode", "name", "ignored"])
def test_a_clone_elsewhere_has_the_same_key(build: Build, tmp_path: Path, change: str) -> None:
    """Owners, times and the folder do not count, nor the mode bits that `git` does not keep; what a build sees does."""
    copy = tmp_path / "clone"
    shutil.copytree(build.context, copy, copy_function=shutil.copyfile)
    for path in copy.iterdir():
        path.chmod(0o644)
        os.utime(path, (1, 1))
        if os.geteuid() == 0:
            os.chown(path, 1234, 1234)
    if change == "content":
        (copy / "a").write_text("other")
    elif change == "mode":
        (copy / "a").chmod(0o755)
    elif change == "name":
        (copy / "a").rename(copy / "b")
    elif change == "ignored":
        (copy / ".dockerignore").write_text("ignored\na\n")
    clone = replace(build, context=str(copy), dockerfile=str(copy / "Dockerfile"))
    same = key(clone) == key(build)
    assert same == (change == "nothing")
