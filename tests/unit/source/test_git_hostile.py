"""Repositories that were made to do harm."""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import pytest

from reconciler.model.settings import MEBIBYTE
from reconciler.spec.files import Files
from tests.support.git_server import Forge, Link, Program, Repository
from tests.support.git_source import SPEC, refusal, source


def test_hooks_and_filters_of_a_repository_are_not_run(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Files are checked out as they were committed: no hook, no filter, no conversion."""
    owned = tmp_path / "owned"
    hook = Program(b"#!/bin/sh\ntouch %s\n" % str(owned).encode())
    crlf = b"one\r\ntwo $Id$\n"
    attributes = b"* text eol=lf ident filter=lfs\n*.txt filter=evil working-tree-encoding=UTF-16\n"
    config = b'[filter "evil"]\n\tsmudge = touch %s\n\trequired = true\n' % str(owned).encode()
    hooks = {f"{folder}/post-checkout": hook for folder in ("hooks", ".githooks")}
    repository.commit(
        {"compose.yaml": SPEC, "a.txt": crlf, ".gitattributes": attributes, ".gitconfig": config, **hooks}
    )
    (repository.path / "hooks").mkdir(exist_ok=True)
    checkout = source(forge, tmp_path).fetch()
    assert Path(checkout.root, "a.txt").read_bytes() == crlf
    assert not owned.exists()


def test_configuration_of_this_machine_is_not_read(
    forge: Forge, repository: Repository, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the user's configuration nor variables for git reach it."""
    home = tmp_path / "home"
    home.mkdir()
    (home / ".gitconfig").write_text('[url "https://127.0.0.1:1/"]\n\tinsteadOf = http://127.0.0.1\n')
    monkeypatch.setenv("HOME", str(home))
    monkeypatch.setenv("GIT_DIR", str(tmp_path))
    monkeypatch.setenv("GIT_EXEC_PATH", str(tmp_path))
    monkeypatch.setenv("GIT_TRACE", str(tmp_path / "trace"))
    repository.commit({"compose.yaml": SPEC})
    assert source(forge, tmp_path).fetch().revision.ref == "main"
    assert not (tmp_path / "trace").exists()


def test_links_out_of_the_tree_are_links_that_specs_cannot_follow(
    forge: Forge, repository: Repository, tmp_path: Path
) -> None:
    """A link stays what it is; what it leads to lies outside of the confinement. Sealing changes nothing out there."""
    secret = tmp_path / "secret"
    secret.write_text("x")
    secret.chmod(0o640)
    repository.commit({"compose.yaml": SPEC, "secret.env": Link(str(secret)), "up": Link("../../..")})
    checkout = source(forge, tmp_path).fetch()
    for name in ("secret.env", "up/current"):
        path = f"{checkout.root}/{name}"
        with pytest.raises(Exception, match="lies outside of"):
            Files(checkout.root).admit(path, what="the file", source="compose.yaml:1")
    assert secret.stat().st_mode & 0o777 == 0o640
    error = refusal(source(forge, tmp_path, subdir="up"))
    assert error.message == "the commit has no folder 'up'"


@pytest.mark.parametrize("name", ["..", ".git", ".GIT", "."])
def test_names_that_leave_the_folder(forge: Forge, repository: Repository, tmp_path: Path, name: str) -> None:
    """A tree that git itself would never write is refused before a file is."""
    blob = repository.git("hash-object", "-w", "--stdin", stdin=SPEC)
    inner = b"100644 evil\0" + bytes.fromhex(blob)
    tree = repository.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=inner)
    outer = f"40000 {name}\0".encode() + bytes.fromhex(tree)
    root = repository.git("hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=outer)
    commit = b"tree %s\nauthor A <a@b> 1 +0000\ncommitter A <a@b> 1 +0000\n\nevil\n" % root.encode()
    made = repository.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=commit)
    repository.git("update-ref", "refs/heads/main", made)
    error = refusal(source(forge, tmp_path))
    assert error.reason == "SourceInvalid"
    assert "damaged, or made to do harm" in error.message
    assert not (tmp_path / "data/current").exists()


def test_names_that_differ_in_case_only(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Both are there: a link cannot stand in for the folder of another."""
    repository.commit({"compose.yaml": SPEC, "A/run": SPEC, "a": Link("/etc")})
    root = Path(source(forge, tmp_path).fetch().root)
    assert (root / "A/run").read_bytes() == SPEC
    assert (root / "a").is_symlink()


@pytest.mark.parametrize("branch", ["--upload-pack=touch owned", "-c", "a;touch owned", "$(touch owned)", "--"])
def test_refs_with_odd_names_are_names(
    forge: Forge, repository: Repository, tmp_path: Path, branch: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing takes the name of a ref for an option or a command."""
    monkeypatch.chdir(tmp_path)
    error = refusal(source(forge, tmp_path, value=branch))
    assert error.reason == "SourceInvalid"
    assert not list(tmp_path.rglob("owned"))


def test_a_branch_whose_name_is_an_option_is_followed(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"compose.yaml": SPEC}, branch="--upload-pack=x")
    assert source(forge, tmp_path, value="--upload-pack=x").fetch().revision.commit == commit


def test_a_download_is_ended_at_its_limit(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """What is larger than the source may be is not fetched to its end, nor again, and leaves nothing behind."""
    repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path, max_bytes=MEBIBYTE)
    before = followed.fetch()
    repository.commit({"compose.yaml": SPEC, "huge": os.urandom(3 * MEBIBYTE)})
    error = refusal(followed)
    assert error.reason == "SourceTooLarge"
    assert error.message == "the repository is larger than 1 MiB, which is the most it may be"
    assert not (tmp_path / "data/objects").exists()
    asked = forge.fetches()
    assert refusal(followed).message == error.message
    assert forge.fetches() == asked + 1  # the ref alone
    assert followed.kept() is before
    good = repository.commit({"compose.yaml": SPEC})
    assert followed.fetch().revision.commit == good


def test_a_bomb_is_not_unpacked(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Little to fetch, much to check out: seen in the sizes that the tree names, before a file is written."""
    zeros = bytes(8 * MEBIBYTE)
    assert len(zlib.compress(zeros)) < MEBIBYTE / 16
    repository.commit({"compose.yaml": SPEC, "zeros": zeros})
    error = refusal(source(forge, tmp_path, max_bytes=MEBIBYTE))
    assert error.reason == "SourceTooLarge"
    assert not (tmp_path / "data/checkouts").exists()


def test_a_tree_that_multiplies_is_not_walked(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Ten folders that are all one, seven levels deep: ten million files in a few hundred bytes."""
    made = repository.git("hash-object", "-w", "--stdin", stdin=b"")
    kind, mode = "blob", "100644"
    for _ in range(7):
        listing = "".join(f"{mode} {kind} {made}\t{number}\n" for number in range(10))
        made = repository.git("mktree", stdin=listing.encode())
        kind, mode = "tree", "040000"
    who = {f"GIT_{role}_{part}": "a" for role in ("AUTHOR", "COMMITTER") for part in ("NAME", "EMAIL")}
    repository.git("update-ref", "refs/heads/main", repository.git("commit-tree", "-m", "Bomb", made, variables=who))
    error = refusal(source(forge, tmp_path))
    assert (error.reason, error.message) == ("SourceTooLarge", "git ls-tree lists more than can be read")


def test_folders_are_counted_as_files_are(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Few names can ask for many folders."""
    from reconciler.source.git.tree import MOST_ENTRIES, inspected
    from tests.support.git_source import settings

    deep = b"/".join([b"d"] * 200)
    listing = b"".join(b"100644 blob 0       0\t%d/%s\0" % (number, deep) for number in range(MOST_ENTRIES // 200 + 1))
    with pytest.raises(Exception, match=f"more than {MOST_ENTRIES} files and folders"):
        inspected(listing, settings(forge), "here")


def test_damaged_objects_are_refused(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    commit = b"tree %s\nauthor nobody\ncommitter A <a@b> 1 +0000\n\nbad\n" % (
        b"4b825dc642cb6eb9a060e54bf8d69288fbee4904"
    )
    repository.git("mktree", stdin=b"")
    made = repository.git("hash-object", "-t", "commit", "-w", "--stdin", "--literally", stdin=commit)
    repository.git("update-ref", "refs/heads/main", made)
    error = refusal(source(forge, tmp_path))
    assert error.reason == "SourceInvalid"
    assert "made to do harm" in error.message


def test_a_tag_of_no_commit_is_refused(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    blob = repository.git("hash-object", "-w", "--stdin", stdin=SPEC)
    repository.git("update-ref", "refs/tags/v1", blob)
    assert refusal(source(forge, tmp_path, "tag", "v1")).reason == "SourceInvalid"
