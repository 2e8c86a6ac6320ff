"""What a repository gives as a source: against git's own server."""

from __future__ import annotations

import shutil
from pathlib import Path

from reconciler.source.checkout import Checkout, Source
from tests.support.git_server import AT, Forge, Program, Repository, Submodule
from tests.support.git_source import SPEC, refusal, source


def names(checkout: Checkout) -> list[str]:
    root = Path(checkout.root)
    return sorted(str(path.relative_to(root)) for path in root.rglob("*"))


def test_a_branch_is_followed_and_only_asked_for(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """A commit is checked out once; as long as the branch stays, only its ref is asked for."""
    commit = repository.commit({"compose.yaml": SPEC, "bin/run": Program(b"#!")}, "Add web")
    followed: Source = source(forge, tmp_path)
    checkout = followed.fetch()
    root = Path(checkout.root)
    assert (checkout.folder, checkout.files, checkout.confined) == (checkout.root, (), True)
    revision = checkout.revision
    assert (revision.commit, revision.ref, revision.source) == (commit, "main", "shop")
    assert (revision.author, revision.subject, revision.at) == ("Ada Example <ada@example.com>", "Add web", AT + 1)
    assert names(checkout) == ["bin", "bin/run", "compose.yaml"]
    assert (root / "compose.yaml").read_bytes() == SPEC
    assert [(root / name).stat().st_mode & 0o777 for name in ("bin/run", "compose.yaml")] == [0o555, 0o444]
    assert (tmp_path / "data").stat().st_mode & 0o777 == 0o700
    asked = len(forge.asked)
    assert followed.fetch() is checkout
    assert followed.kept() is checkout
    assert len(forge.asked) == asked + 2  # the protocol's greeting and ls-refs; no fetch


def test_a_new_commit_is_another_checkout(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Both checkouts stand side by side until nobody keeps the earlier one."""
    first = repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path)
    before = followed.fetch()
    second = repository.commit({"other.yaml": SPEC})
    after = followed.fetch()
    assert (after.revision.commit, names(after), names(before)) == (second, ["other.yaml"], ["compose.yaml"])
    assert followed.kept_at(first) == before
    followed.keep(frozenset({first}))
    assert followed.kept_at(first) == before
    followed.keep(frozenset())
    assert followed.kept_at(first) is None
    assert followed.kept() is after
    assert not Path(before.root).exists()
    assert sorted(path.name for path in (tmp_path / "data/checkouts").iterdir()) == [second, f"{second}.json"]


def test_what_was_good_stays_in_force_over_a_restart(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """A process that starts while the repository is gone goes on with the last checkout."""
    repository.commit({"compose.yaml": SPEC})
    before = source(forge, tmp_path).fetch()
    shutil.rmtree(repository.path)
    again = source(forge, tmp_path)
    assert again.kept() == before
    error = refusal(again)
    assert error.reason == "SourceInvalid"
    assert "there is no repository at this address" in str(error)
    assert again.kept() == before
    assert Path(before.root, "compose.yaml").read_bytes() == SPEC


def test_a_branch_that_is_gone_leaves_the_last_good(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path)
    before = followed.fetch()
    repository.git("update-ref", "-d", "refs/heads/main")
    error = refusal(followed)
    assert (error.reason, error.message) == ("SourceInvalid", "the repository has no branch 'main'")
    assert followed.kept() is before


def test_nothing_was_ever_read(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Before the first good fetch there is nothing to keep."""
    followed = source(forge, tmp_path)
    assert followed.name == "shop"
    assert (followed.kept(), followed.kept_at("0" * 40), followed.kept_at("../../etc")) == (None, None, None)
    followed.keep(frozenset())
    assert "has no branch 'main'" in refusal(followed).message


def test_a_branch_that_went_back_is_followed_with_a_word(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    first = repository.commit({"compose.yaml": SPEC})
    second = repository.commit({"other.yaml": SPEC})
    followed = source(forge, tmp_path)
    assert followed.fetch().notices == ()
    repository.git("update-ref", "refs/heads/main", first)
    checkout = followed.fetch()
    assert checkout.revision.commit == first
    (notice,) = checkout.notices
    assert notice.code == "RefWentBack"
    assert notice.message == f"main ({first[:10]}) is older than {second[:10]}, which was followed before"
    repository.git("update-ref", "refs/heads/main", second)
    assert followed.fetch().notices == ()


def test_an_annotated_tag_leads_to_its_commit(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    commit = repository.commit({"compose.yaml": SPEC})
    repository.tag("v1", commit)
    repository.commit({"other.yaml": SPEC})
    followed = source(forge, tmp_path, "tag", "v1")
    checkout = followed.fetch()
    assert (checkout.revision.commit, checkout.revision.ref) == (commit, "v1")
    asked = forge.fetches()
    assert followed.fetch() is checkout
    assert forge.fetches() == asked + 1


def test_the_newest_tag_of_a_range_is_followed(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """A new tag in the range is followed, one outside or a pre-release is not."""
    for version in ("v1.2.0", "v1.10.0", "v2.0.0", "v1.11.0-rc.1", "latest"):
        repository.git("tag", version, repository.commit({"compose.yaml": SPEC}, version))
    followed = source(forge, tmp_path, "semver", "^1.2")
    assert followed.fetch().revision.subject == "v1.10.0"
    repository.tag("v1.11.0", repository.commit({"compose.yaml": SPEC}, "v1.11.0"))
    revision = followed.fetch().revision
    assert (revision.subject, revision.ref) == ("v1.11.0", "v1.11.0")
    error = refusal(source(forge, tmp_path, "semver", ">=3"))
    assert error.message == "no tag is in the range '>=3'"


def test_a_commit_is_fetched_once_and_never_asked_for_again(
    forge: Forge, repository: Repository, tmp_path: Path
) -> None:
    commit = repository.commit({"compose.yaml": SPEC})
    repository.commit({"other.yaml": SPEC})
    followed = source(forge, tmp_path, "commit", commit)
    checkout = followed.fetch()
    assert (checkout.revision.commit, checkout.revision.ref) == (commit, commit[:10])
    asked = len(forge.asked)
    assert followed.fetch() is checkout
    assert len(forge.asked) == asked


def test_a_commit_that_comes_later_is_found_then(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """A commit that the repository does not have yet is refused for now only."""
    elsewhere = Repository.new(tmp_path / "elsewhere.git")
    commit = elsewhere.commit({"compose.yaml": SPEC})
    repository.commit({"other.yaml": SPEC})
    followed = source(forge, tmp_path, "commit", commit)
    error = refusal(followed)
    assert error.reason == "SourceInvalid"
    assert "does not have this commit" in error.message
    repository.git("fetch", "-q", str(elsewhere.path), "main:refs/heads/other")
    assert followed.fetch().revision.commit == commit


def test_a_subdirectory_holds_the_specs(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """The whole commit is checked out, so that specs may read what lies beside them."""
    repository.commit({"deploy/shop.yaml": SPEC, "shared/web.env": b"A=1\n"})
    checkout = source(forge, tmp_path, subdir="deploy").fetch()
    assert checkout.folder == f"{checkout.root}/deploy"
    assert checkout.files == (checkout.folder,)
    assert Path(checkout.root, "shared/web.env").exists()
    error = refusal(source(forge, tmp_path, subdir="deplyo"))
    assert (error.reason, error.message) == ("SourceInvalid", "the commit has no folder 'deplyo'")
    assert source(forge, tmp_path, subdir=".").fetch().files == (checkout.root,)


def test_other_settings_are_other_checks(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """What was good by earlier settings is looked at again; it stays in force until something else is good."""
    repository.commit({"compose.yaml": SPEC})
    before = source(forge, tmp_path).fetch()
    missing = source(forge, tmp_path, subdir="missing")
    assert "no folder 'missing'" in refusal(missing).message
    kept = missing.kept()
    assert kept is not None
    assert kept.root == before.root


def test_submodules_are_not_fetched_but_spoken_of(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    modules = b'[submodule "lib"]\n\tpath = lib\n\turl = ext::sh -c touch% /tmp/git-owned\n'
    repository.commit({"compose.yaml": SPEC, ".gitmodules": modules, "lib": Submodule("1" * 40)})
    checkout = source(forge, tmp_path).fetch()
    (notice,) = checkout.notices
    assert notice.code == "SubmodulesIgnored"
    assert notice.message == "submodules are not fetched, and their folders stay empty: 'lib'"
    assert names(checkout) == [".gitmodules", "compose.yaml", "lib"]
    again = source(forge, tmp_path).kept()
    assert again is not None
    assert again.notices == checkout.notices


def test_repositories_of_sha256_are_followed(forge: Forge, tmp_path: Path) -> None:
    repository = Repository.new(forge.root / "shop.git", "--object-format=sha256")
    commit = repository.commit({"compose.yaml": SPEC})
    assert len(commit) == 64
    assert source(forge, tmp_path).fetch().revision.commit == commit
    assert source(forge, tmp_path).kept_at(commit) is not None


def test_one_process_at_a_time_uses_a_folder(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    import fcntl

    repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path)
    followed.fetch()
    with (tmp_path / "data/lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert "another process uses the folder" in refusal(followed).message
    assert followed.fetch().revision.ref == "main"


def test_a_checkout_that_somebody_removed_is_made_again(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    repository.commit({"compose.yaml": SPEC})
    followed = source(forge, tmp_path)
    first = followed.fetch()
    shutil.rmtree(first.root)
    assert followed.kept() is None
    assert Path(followed.fetch().root, "compose.yaml").read_bytes() == SPEC


def test_a_folder_that_cannot_be_written_is_said(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    repository.commit({"compose.yaml": SPEC})
    (tmp_path / "data").write_text("a file is in the way")
    error = refusal(source(forge, tmp_path))
    assert error.reason == "SourceUnreachable"
    assert "the source's folder cannot be used: File exists" in error.message


def test_text_of_commits_is_made_plain(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Control and direction characters of an author or subject reach no log; a subject has a length."""
    repository.commit({"compose.yaml": SPEC}, "Red \x1b[31m\u202eevil" + "x" * 400, author="A\x07da <a\x1b@b>")
    revision = source(forge, tmp_path).fetch().revision
    assert revision.subject.startswith("Red [31mevilxxx")
    assert len(revision.subject) == 200
    assert revision.author == "Ada <a@b>"


def test_a_repository_is_followed_for_long(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """Packs do not gather for ever: many of them are thrown away, and the next commit is fetched whole."""
    from reconciler.source.git import objects

    followed = source(forge, tmp_path)
    repository.commit({"compose.yaml": SPEC})
    followed.fetch()
    store = tmp_path / "data/objects/sha1.git/objects/pack"
    for number in range(objects.MOST_PACKS + 1):
        (store / f"pack-{number}.pack").touch()
    repository.commit({"other.yaml": SPEC})
    assert names(followed.fetch()) == ["other.yaml"]
    assert len(list(store.glob("*.pack"))) == 1


def test_refs_that_are_none(forge: Forge, tmp_path: Path) -> None:
    """What cannot be a ref is refused before anybody is asked."""
    for kind, value in (("branch", "a..b"), ("tag", "-x~1"), ("commit", "abc123"), ("semver", "newest")):
        assert refusal(source(forge, tmp_path, kind, value)).reason == "SourceInvalid"
    assert forge.asked == []
