from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from reconciler.errors import SourceError
from reconciler.model.settings import GitRef, GitSource
from reconciler.source.git.repository import GitRepository
from tests.support.git_server import AT, Forge, Program, Repository

SPEC = b"services: {web: {image: web:1}}\n"


def source(forge: Forge, folder: Path, kind: Any = "branch", value: str = "main", **more: Any) -> GitRepository:
    """A source that follows the forge's repository."""
    settings = GitSource("shop", f"{forge.url}/shop.git", GitRef(kind, value), place="settings.yaml:3", **more)
    return GitRepository(settings, folder / "data")


def refusal(repository: GitRepository) -> SourceError:
    with pytest.raises(SourceError) as caught:
        repository.fetch()
    return caught.value


def test_a_branch_is_followed_and_asked_for_only(forge: Forge, repository: Repository, tmp_path: Path) -> None:
    """A commit is checked out once; as long as the branch stays, only its ref is asked for."""
    commit = repository.commit({"compose.yaml": SPEC, "bin/run": Program(b"#!")}, "Add web")
    followed = source(forge, tmp_path)
    checkout = followed.fetch()
    assert Path(checkout.root, "compose.yaml").read_bytes() == SPEC
    assert (checkout.root, checkout.folder, checkout.files) == (checkout.root, checkout.root, ())
    assert checkout.confined
    revision = checkout.revision
    assert (revision.commit, revision.ref, revision.source) == (commit, "main", "shop")
    assert (revision.author, revision.subject, revision.at) == ("Ada Example <ada@example.com>", "Add web", AT + 1)
    assert Path(checkout.root, "bin/run").stat().st_mode & 0o777 == 0o555
    assert Path(checkout.root, "compose.yaml").stat().st_mode & 0o777 == 0o444
    assert sorted(path.name for path in Path(checkout.root).iterdir()) == ["bin", "compose.yaml"]
    fetched = forge.fetches()
    assert followed.fetch() is checkout
    assert forge.fetches() == fetched + 1  # ls-remote asks by POST too; a fetch would ask twice
