"""A folder, or files, as a source."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.model.revision import Revision
from reconciler.model.settings import DirectorySource
from reconciler.source.checkout import Source
from reconciler.source.folder import Folder


def test_a_folder_is_what_is_there(tmp_path: Path) -> None:
    """No commit, no confinement; the same object as long as it can be read, empty or not."""
    (tmp_path / "specs").mkdir()
    source: Source = Folder(DirectorySource("local", ("specs",)), str(tmp_path))
    checkout = source.fetch()
    folder = str(tmp_path / "specs")
    assert (checkout.root, checkout.folder, checkout.files) == (str(tmp_path), folder, (folder,))
    assert (checkout.revision, checkout.confined, source.name) == (Revision("local"), False, "local")
    assert source.fetch() is checkout
    assert source.kept() is checkout
    source.keep(frozenset())
    assert source.kept_at("0" * 40) is None


def test_files_are_named_singly(tmp_path: Path) -> None:
    for name in ("a.yaml", "b.yaml"):
        (tmp_path / name).touch()
    checkout = Folder(DirectorySource("local", ("a.yaml", str(tmp_path / "b.yaml"))), str(tmp_path)).fetch()
    assert checkout.folder == str(tmp_path)
    assert checkout.files == (f"{tmp_path}/a.yaml", f"{tmp_path}/b.yaml")


def test_without_paths_the_default_places_count(tmp_path: Path) -> None:
    checkout = Folder(DirectorySource("local", ()), str(tmp_path)).fetch()
    assert (checkout.root, checkout.folder, checkout.files) == (str(tmp_path), str(tmp_path), ())


def test_a_folder_that_is_gone_is_an_error_until_it_is_back(tmp_path: Path) -> None:
    """An unreadable source is not an empty one."""
    source = Folder(DirectorySource("local", ("specs",), "settings.yaml:4"), str(tmp_path))
    with pytest.raises(SourceError, match="specs cannot be read: No such file") as caught:
        source.fetch()
    assert (caught.value.reason, caught.value.source) == ("SourceUnreachable", "settings.yaml:4")
    assert source.kept() is None
    (tmp_path / "specs").mkdir()
    checkout = source.fetch()
    assert checkout.folder == str(tmp_path / "specs")


def test_what_may_not_be_read_is_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").touch()
    source = Folder(DirectorySource("local", ("file/x",)), str(tmp_path))
    with pytest.raises(SourceError, match="cannot be read: Not a directory"):
        source.fetch()

    def refuse(path: str) -> None:  # as the system does, but to root too
        raise PermissionError(13, "Permission denied", path)

    monkeypatch.setattr("os.scandir", refuse)
    with pytest.raises(SourceError, match="may not be read") as caught:
        Folder(DirectorySource("local", (".",)), str(tmp_path)).fetch()
    assert caught.value.reason == "SourceUnauthorized"
