"""The canonical archive of a build context."""

from __future__ import annotations

import io
import os
import socket
import tarfile
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

import pytest

from reconciler.errors import SpecError
from reconciler.images.context import Context, context_digest, read_context, write_archive
from reconciler.images.dockerignore import parse_ignore
from reconciler.model.project import Build
from tests.support.ignoring import kept_here, single

if TYPE_CHECKING:
    from collections.abc import Mapping


def folder(root: Path, files: Mapping[str, str]) -> Path:
    for name, content in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return root


def build(root: Path, dockerfile: str = "Dockerfile", inline: str | None = None) -> Build:
    return Build(str(root), str(root / dockerfile), inline)


def paths(context: Context) -> list[str]:
    return [entry.path for entry in context.entries]


def archive(context: Context) -> tuple[str, list[tarfile.TarInfo]]:
    sink = io.BytesIO()
    digest = write_archive(context, sink)
    sink.seek(0)
    with tarfile.open(fileobj=sink) as opened:
        return digest, opened.getmembers()


def test_archive_is_sorted_and_belongs_to_nobody(tmp_path: Path) -> None:
    """Order, owner and time are fixed; modes, links and their targets are kept; links are not followed."""
    folder(tmp_path, {"Dockerfile": "FROM scratch\n", "b/run.sh": "x", "a.txt": "1"})
    (tmp_path / "b/run.sh").chmod(0o4750)
    (tmp_path / "link").symlink_to("./b/../nowhere")
    _, members = archive(read_context(build(tmp_path)))
    assert [member.name for member in members] == ["Dockerfile", "a.txt", "b", "b/run.sh", "link"]
    assert {(member.uid, member.gid, member.mtime, member.uname) for member in members} == {(0, 0, 0, "")}
    assert members[3].mode == 0o4750
    assert members[4].linkname == "./b/../nowhere"


def test_digest_of_the_listing_is_the_digest_of_the_bytes_written(tmp_path: Path) -> None:
    """What is hashed for the key and what is hashed while sending is the same, for every kind of entry."""
    folder(tmp_path, {"Dockerfile": "FROM scratch\n", "d/x": "x" * 100_000, "ünïcode and space": "", "n" * 120: "long"})
    (tmp_path / "link").symlink_to("d")
    (tmp_path / "empty").mkdir()
    os.mkfifo(tmp_path / "pipe")
    os.link(tmp_path / "d/x", tmp_path / "hard")
    context = read_context(build(tmp_path))
    digest, members = archive(context)
    assert digest == context_digest(context)
    assert {member.name: member.size for member in members if member.isreg()}["hard"] == 100_000


@pytest.mark.parametrize("change", ["content", "mode", "name", "target", "added", "emptied"])
def test_digest_changes_with_what_the_builder_sees(tmp_path: Path, change: str) -> None:
    """Content, mode bits, names and link targets are part of the digest."""
    folder(tmp_path, {"Dockerfile": "FROM scratch\n", "a": "1"})
    (tmp_path / "link").symlink_to("a")
    before = context_digest(read_context(build(tmp_path)))
    if change == "content":
        (tmp_path / "a").write_text("2")
    elif change == "mode":
        (tmp_path / "a").chmod(0o755)
    elif change == "name":
        (tmp_path / "a").rename(tmp_path / "b")
    elif change == "target":
        (tmp_path / "link").unlink()
        (tmp_path / "link").symlink_to("b")
    elif change == "added":
        (tmp_path / "folder").mkdir()
    else:
        (tmp_path / "a").write_text("")
    assert context_digest(read_context(build(tmp_path))) != before


def test_folder_of_something_kept_is_kept(tmp_path: Path) -> None:
    """A file that `!` keeps below a left-out folder brings its folders along, and nothing else of them."""
    folder(
        tmp_path, {"Dockerfile": "", ".dockerignore": "docs\n!docs/a/keep.md\n", "docs/a/keep.md": "", "docs/b/x": ""}
    )
    assert paths(read_context(build(tmp_path))) == [".dockerignore", "Dockerfile", "docs", "docs/a", "docs/a/keep.md"]


def test_ignore_file_of_the_dockerfile_is_preferred(tmp_path: Path) -> None:
    """`NAME.dockerignore` next to the Dockerfile replaces `.dockerignore`, as BuildKit reads them."""
    folder(tmp_path, {"Dockerfile": "", "Dockerfile.dockerignore": "a\n", ".dockerignore": "b\n", "a": "", "b": ""})
    assert "b" in paths(read_context(build(tmp_path)))
    assert "a" not in paths(read_context(build(tmp_path)))


@pytest.mark.parametrize("where", ["ignored", "outside", "inline", "link"])
def test_dockerfile_that_copy_must_not_see(tmp_path: Path, where: str) -> None:
    """A Dockerfile that is left out, lies elsewhere or is written in the spec is known, but not among the entries."""
    root = folder(tmp_path / "context", {"Dockerfile": "FROM scratch\n", "a": ""})
    spec = build(root)
    if where == "ignored":
        (root / ".dockerignore").write_text("Dockerfile\n.dockerignore\n")
    elif where == "outside":
        (root / "Dockerfile").rename(tmp_path / "Dockerfile")
        spec = build(root, "../Dockerfile")
    elif where == "inline":
        (root / "Dockerfile").unlink()
        spec = build(root, inline="FROM scratch\n")
    else:
        (root / "Dockerfile").rename(tmp_path / "Dockerfile")
        (root / "Dockerfile").symlink_to("../Dockerfile")
    context = read_context(spec)
    assert context.dockerfile == b"FROM scratch\n"
    assert context.dockerfile_path is None
    assert "a" in paths(context)


def test_sockets_are_left_out(tmp_path: Path) -> None:
    """A socket has no content to send; it is skipped as the docker CLI does."""
    folder(tmp_path, {"Dockerfile": ""})
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "s.sock"))
        assert paths(read_context(build(tmp_path))) == ["Dockerfile"]


@pytest.mark.parametrize("name", ["Dockerfile", ".dockerignore"])
def test_instructions_are_small_regular_files(tmp_path: Path, name: str) -> None:
    """A pipe would block for ever, a device never end, and a file of 100 MB holds no instructions."""
    folder(tmp_path, {"Dockerfile": ""})
    (tmp_path / name).unlink(missing_ok=True)
    os.mkfifo(tmp_path / name)
    with pytest.raises(SpecError, match=f"{name}.* cannot be read: it is not a regular file"):
        read_context(build(tmp_path))
    (tmp_path / name).unlink()
    (tmp_path / name).touch()
    os.truncate(tmp_path / name, 100_000_000)
    with pytest.raises(SpecError, match=f"{name}.* cannot be read: it is larger than 1 MB"):
        read_context(build(tmp_path))


@pytest.mark.parametrize(
    ("spec", "said"),
    [
        (Build("/nowhere/context", "/nowhere/context/Dockerfile"), "/nowhere/context does not exist"),
        (Build(str(Path(__file__)), "x"), "is not a folder"),
        (Build(str(Path(__file__).parent), "/nowhere/Dockerfile"), "there is no Dockerfile /nowhere/Dockerfile"),
        (Build(str(Path(__file__).parent), str(Path(__file__).parent)), "cannot be read"),
    ],
)
def test_missing_input_is_named_with_what_to_do(spec: Build, said: str) -> None:
    """Without its context or its Dockerfile a build is refused before anything is touched (exit 3)."""
    with pytest.raises(SpecError, match=said) as caught:
        read_context(spec)
    assert caught.value.hint


def test_a_folder_that_is_not_read_holds_nothing_that_is_kept(tmp_path: Path) -> None:
    """Whatever the patterns: leaving folders out early leaves out nothing else."""
    random = Random(7)  # noqa: S311 - patterns are no secret
    for number in range(60):
        made = single(random, tmp_path / str(number))
        ignore = parse_ignore((made.root / ".dockerignore").read_bytes(), ".dockerignore")
        every = [str(path.relative_to(made.root)) for path in made.root.rglob("*")]
        kept = {path for path in every if not ignore.ignores(path)}
        found = kept_here(made)
        assert kept <= found, made.cases
        assert all(any(path.startswith(f"{folder}/") for path in kept) for folder in found - kept), made.cases
