"""One controller per project and engine."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from reconciler import lock
from reconciler.errors import LockedError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(lock, "SHARED", tmp_path)
    return tmp_path


def test_a_second_controller_is_refused_and_told_who_has_it() -> None:
    """The holder's process is named; afterwards the lock is free again."""
    with lock.project_lock("engine", "shop"):
        with pytest.raises(LockedError, match=f"pid {os.getpid()}"), lock.project_lock("engine", "shop"):
            pass
        with lock.project_lock("engine", "other"), lock.project_lock("another", "shop"):
            pass
    with lock.project_lock("engine", "shop"):
        pass


def test_a_lock_file_that_cannot_be_opened_is_told(folder: Path) -> None:
    """A link put in its place is not followed, and the message names the file."""
    with lock.project_lock("engine", "shop"):
        path = next(folder.iterdir())
    path.unlink()
    path.symlink_to(folder / "elsewhere")
    with pytest.raises(LockedError, match="cannot be opened") as caught, lock.project_lock("engine", "shop"):
        pass
    assert caught.value.source == str(path)
    assert not (folder / "elsewhere").exists()


def test_another_users_lock_file_is_respected(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A file that may only be read is still locked, and tells who signed it before."""
    with lock.project_lock("engine", "shop"):
        path = next(folder.iterdir())
    monkeypatch.setattr(os, "access", lambda name, mode: name != path and mode)
    with lock.project_lock("engine", "shop"):
        assert path.read_text() == f"{os.getpid()}\n"
        with pytest.raises(LockedError), lock.project_lock("engine", "shop"):
            pass


def test_where_the_lock_is(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Where all users meet, else the user's runtime directory, else a private folder of the user's own."""
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(folder / "runtime"))
    assert lock.lock_directory() == folder
    monkeypatch.setattr(lock, "SHARED", folder / "nowhere")
    monkeypatch.setattr(os, "geteuid", lambda: 1234)
    assert lock.lock_directory().name == "reconciler-1234"
    (folder / "runtime").mkdir()
    assert lock.lock_directory() == folder / "runtime"
