"""Checkouts on disk: what is found at a start, and what is refused before it is written."""

from __future__ import annotations

from pathlib import Path

import pytest

from reconciler.errors import SourceError
from reconciler.model.revision import Revision
from reconciler.model.settings import GitRef, GitSource
from reconciler.source.git.checkouts import FILES, Checkouts, Record
from reconciler.source.git.tree import inspected

RECORD = Record(Revision("shop", "a" * 40, "Ada <a@b>", "Add", 1.0, "main"), "b" * 40, "basis")


def test_what_a_kill_left_is_removed_by_the_next(tmp_path: Path) -> None:
    """A folder that was never put in force is no checkout."""
    left = Checkouts(tmp_path, "shop").new()
    (left / FILES / "half").touch()
    checkouts = Checkouts(tmp_path, "shop")
    assert checkouts.current() is None
    made = checkouts.new()
    assert not left.exists()
    checkouts.place(made, RECORD)
    assert checkouts.current() == checkouts.at("a" * 40) == RECORD
    assert [path.name for path in tmp_path.glob("checkouts/.*")] == []


def test_a_checkout_that_is_there_is_not_replaced(tmp_path: Path) -> None:
    """Containers may have its files mounted."""
    checkouts = Checkouts(tmp_path, "shop")
    checkouts.place(checkouts.new(), RECORD)
    before = checkouts.path("a" * 40).stat().st_ino
    checkouts.place(checkouts.new(), RECORD)
    assert checkouts.path("a" * 40).stat().st_ino == before


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"revision": {"source": "x", "commit": "../.."}, "notices": []}'])
def test_a_record_that_is_damaged_is_said_to_be(tmp_path: Path, text: str, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "current").write_text(text)
    assert Checkouts(tmp_path, "shop").current() is None
    assert "a checkout's record cannot be read" in capsys.readouterr().err


@pytest.mark.parametrize("path", [b"../x", b"a/../x", b".git/config", b"a/.GIT/x", b"/x", b"a//x"])
def test_paths_that_leave_the_checkout(path: bytes) -> None:
    """Should git ever let one through."""
    settings = GitSource("shop", "https://forge/shop", GitRef("branch", "main"))
    with pytest.raises(SourceError, match="would lie where none may"):
        inspected(b"100644 blob 0 1\t%s\0" % path, settings, "here")
