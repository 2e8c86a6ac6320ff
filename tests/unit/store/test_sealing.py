"""What stood encrypted in a repository stands so in the state file, and comes out of it as it was."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from reconciler.age import Keyring
from reconciler.model import labels
from reconciler.model.files import CopiedFile
from reconciler.model.memory import Memory
from reconciler.model.project import Service
from reconciler.store import Store
from reconciler.store.project_store import ProjectStore
from tests.support import age
from tests.support.planning import container, service, stable

PLANTED = ("in-a-file", "in-a-variable", "in-a-removed-one")


def definition() -> Service:
    """A service that has encrypted things and plain ones."""
    files = (CopiedFile("/s", PLANTED[0], encrypted=True), CopiedFile("/c", "plain-config"))
    env = {"Env": [f"A={PLANTED[1]}", "B=plain-variable", "UNSET"]}
    return replace(service(container=env), copied_files=files, hidden=("A", "UNSET"))


def memory() -> Memory:
    """A memory in which it held, and of a container of it that was removed."""
    gone = container(config={"Env": [f"A={PLANTED[2]}"]}, labels={labels.HIDDEN: "A"})
    return Memory(stable={"web": stable(definition(), "hash")}, removed={("web", 1): gone})


def kept(store: Store) -> ProjectStore:
    """What the store keeps of the project."""
    return store.project("engine", "default", "shop")


@pytest.fixture
def key(tmp_path: Path) -> Path:
    """The identity of the installation."""
    return age.identity(tmp_path)


def saved(folder: Path, key: Path) -> None:
    """A state file with that memory and a revision."""
    with Store.open(folder, keyring=Keyring(str(key))) as store:
        kept(store).save(memory())
        kept(store).add_revision(stable(definition(), "hash"))


def test_no_plain_text_is_in_the_file(tmp_path: Path, key: Path) -> None:
    """Nor in its journals; what is not encrypted in the repository is not here."""
    with Store.open(tmp_path / "state", keyring=Keyring(str(key))) as store:
        kept(store).save(memory())
        kept(store).add_revision(stable(definition(), "hash"))
        found = b"".join(path.read_bytes() for path in (tmp_path / "state").iterdir())
    assert not [word for word in PLANTED if word.encode() in found]
    assert b"plain-config" in found
    assert b"plain-variable" in found


def test_it_comes_out_as_it_was(tmp_path: Path, key: Path) -> None:
    """Of the memory and of revisions, for another process."""
    saved(tmp_path / "state", key)
    with Store.open(tmp_path / "state", keyring=Keyring(str(key))) as store:
        found = kept(store).load()
        assert found == memory()
        assert kept(store).revisions("web")[0].service == definition()
        assert store.notices == ()


def test_another_identity_cannot_go_back(tmp_path: Path, key: Path) -> None:
    """What cannot be decrypted is dropped and told of, and is never taken for a content."""
    saved(tmp_path / "state", key)
    for keyring in (Keyring(str(age.identity(tmp_path, "other.txt"))), None):
        with Store.open(tmp_path / "state", read_only=True, keyring=keyring) as store:
            assert kept(store).load() == Memory()
            assert kept(store).revisions("web") == ()
            assert {notice.code for notice in store.notices} == {"StateEntryDropped"}
