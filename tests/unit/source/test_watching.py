"""Changes of files are told of: real files, inotify and threads; waited for, never timed."""

from __future__ import annotations

import os
import queue
import shutil
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from reconciler.source.survey import survey
from reconciler.source.watching import Watcher


class Told:
    """A watcher of a test, and what it told of."""

    def __init__(self, *paths: Path) -> None:
        self.paths = [str(path) for path in paths]
        self.changes: queue.Queue[frozenset[str]] = queue.Queue()
        self.watcher = Watcher(lambda: tuple(self.paths), self.changes.put)
        self.watcher.start()

    def until(self, path: Path) -> None:
        """Wait until a change of this path is told of."""
        while str(path) not in self.changes.get(timeout=20):
            pass

    def nothing(self) -> bool:
        """Whether everything that was told of was waited for."""
        return self.changes.empty()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "specs"
    made.mkdir()
    (made / "shop.yaml").write_text("one")
    return made


@pytest.fixture
def told(folder: Path) -> Iterator[Told]:
    found = Told(folder)
    yield found
    found.watcher.stop()
    assert "watcher" not in {thread.name for thread in threading.enumerate()}


def save(path: Path, text: str) -> None:
    """As editors do: another file under the old name."""
    beside = path.with_name(f".{path.name}.new")
    beside.write_text(text)
    beside.replace(path)


def test_every_save_is_told_of(told: Told, folder: Path) -> None:
    """In place or by a rename, again and again; what is as it was is not told of."""
    path = folder / "shop.yaml"
    for number in range(3):
        save(path, f"two {number}")
        told.until(path)
    path.write_text("three, in place")
    told.until(path)
    (folder / ".git").mkdir()
    (folder / ".git/index").touch()
    new = folder / "new.yaml"
    new.touch()
    told.until(new)
    path.unlink()
    told.until(path)
    assert told.nothing()


def test_writing_that_goes_on_is_told_of_once(told: Told, folder: Path) -> None:
    """Pieces that follow each other soon are one change, and the last of them is in it."""
    path = folder / "large.yaml"
    with path.open("w") as file:
        for _ in range(20):
            file.write("x" * 1000)
            file.flush()
    told.until(path)
    assert path.stat().st_size == 20_000
    save(folder / "shop.yaml", "two")
    told.until(folder / "shop.yaml")


def test_folders_that_come_later_are_watched(told: Told, folder: Path) -> None:
    """With what is in them already, and what comes after."""
    elsewhere = folder.parent / "elsewhere"
    (elsewhere / "deep").mkdir(parents=True)
    (elsewhere / "deep/a.env").touch()
    elsewhere.rename(folder / "app")
    told.until(folder / "app/deep/a.env")
    save(folder / "app/deep/a.env", "A=1")
    told.until(folder / "app/deep/a.env")


def test_a_folder_that_is_made_again_is_watched_again(told: Told, folder: Path) -> None:
    shutil.rmtree(folder)
    told.until(folder)
    folder.mkdir()
    (folder / "shop.yaml").write_text("two")
    told.until(folder / "shop.yaml")
    save(folder / "shop.yaml", "three")
    told.until(folder / "shop.yaml")


def test_mounted_volumes_swap_a_link(tmp_path: Path) -> None:
    """Kubernetes and others: files lead through `..data`, which is another link from one moment to the next."""
    for number in (1, 2):
        (tmp_path / f"mount/..{number}").mkdir(parents=True)
        (tmp_path / f"mount/..{number}/shop.yaml").write_text(str(number))
    mount = tmp_path / "mount"
    (mount / "..data").symlink_to("..1")
    (mount / "shop.yaml").symlink_to("..data/shop.yaml")
    told = Told(mount)
    (mount / "..new").symlink_to("..2")
    (mount / "..new").replace(mount / "..data")
    told.until(mount / "..data")
    save(mount / "..2/shop.yaml", "3")
    told.until(mount / "..2/shop.yaml")
    told.watcher.stop()


def test_a_folder_that_is_a_link_is_swapped(tmp_path: Path) -> None:
    """`current` leads to a release; what lies in the new one is watched from then on."""
    for number in (1, 2):
        (tmp_path / f"releases/{number}/specs").mkdir(parents=True)
    (tmp_path / "current").symlink_to("releases/1")
    specs = tmp_path / "current/specs"
    told = Told(specs)
    (tmp_path / "next").symlink_to("releases/2")
    (tmp_path / "next").replace(tmp_path / "current")
    told.until(tmp_path / "current")
    (specs / "shop.yaml").touch()
    told.until(specs / "shop.yaml")
    (tmp_path / "releases/1/specs/old.yaml").touch()
    (specs / "last.yaml").touch()
    told.until(specs / "last.yaml")
    told.watcher.stop()


def test_files_elsewhere_and_paths_that_come_later(told: Told, folder: Path, tmp_path: Path) -> None:
    """An env_file beside the folder, named while it runs and before it exists; its neighbours do not count."""
    env = tmp_path / "outside/web.env"
    told.paths.append(str(env))
    told.watcher.refresh()
    told.until(env.parent)
    env.parent.mkdir()
    told.until(env.parent)
    (env.parent / "neighbour").touch()
    env.touch()
    told.until(env)
    save(env, "A=1")
    told.until(env)
    assert str(env.parent / "neighbour") not in survey(told.paths).seen


def test_a_listener_that_fails_hears_of_the_next_change(folder: Path, capsys: pytest.CaptureFixture[str]) -> None:
    heard: queue.Queue[frozenset[str]] = queue.Queue()

    def hear(changed: frozenset[str]) -> None:
        heard.put(changed)
        raise RuntimeError("of this test")

    watcher = Watcher(lambda: [str(folder)], hear)
    watcher.start()
    for number in range(2):
        save(folder / "shop.yaml", str(number))
        while str(folder / "shop.yaml") not in heard.get(timeout=20):
            pass
    watcher.stop()
    assert "of this test" in capsys.readouterr().err


def test_a_failure_of_the_watcher_is_said_and_passes(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A thread that died would be missed by nobody."""
    monkeypatch.setattr("reconciler.source.watching.POLL", 0.02)
    changes: queue.Queue[frozenset[str]] = queue.Queue()
    broken, failed = threading.Event(), threading.Event()

    def paths() -> list[str]:
        if broken.is_set() and not failed.is_set():
            failed.set()
            raise RuntimeError("of this test")
        return [str(folder)]

    watcher = Watcher(paths, changes.put)
    watcher.start()
    broken.set()
    watcher.refresh()
    assert failed.wait(20)
    save(folder / "shop.yaml", "two")
    while str(folder / "shop.yaml") not in changes.get(timeout=20):
        pass
    watcher.stop()
    assert "files cannot be watched; trying again" in capsys.readouterr().err


def test_links_that_lead_in_circles_are_looked_at_once(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep/up").symlink_to("..")
    found = survey([str(tmp_path)])
    assert found.complete
    assert {str(tmp_path / name) for name in ("a", "b", "deep", "deep/up")} <= found.seen.keys()


def test_more_than_can_be_looked_at_is_said(
    folder: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for number in range(50):
        (folder / str(number)).touch()
    monkeypatch.setattr("reconciler.source.survey.MOST", 20)
    assert not survey([str(folder)]).complete
    told = Told(folder)
    told.watcher.refresh()
    (folder / "new").touch()
    told.watcher.stop()
    assert "more files than can be watched" in capsys.readouterr().err


_POLLED = """
import queue, sys
from pathlib import Path
from reconciler.source import watching
watching.POLL = 0.05
folder, changes = Path(sys.argv[1]), queue.Queue()
watcher = watching.Watcher(lambda: [str(folder)], changes.put)
watcher.start()
for name in ("a", "b"):
    (folder / name).write_text(name)
    while str(folder / name) not in changes.get(timeout=20):
        pass
watcher.stop()
print("told of both")
"""


def test_without_inotify_it_looks(folder: Path) -> None:
    """Where the machine has no watches left; in a namespace of its own, so that this is true of nobody else."""
    script = 'echo 0 > /proc/sys/user/max_inotify_watches && exec "$@"'
    command = [
        "unshare",
        "--user",
        "--map-root-user",
        "sh",
        "-c",
        script,
        "sh",
        sys.executable,
        "-c",
        _POLLED,
        str(folder),
    ]
    done = subprocess.run(command, capture_output=True, check=False, env={**os.environ}, text=True)
    if done.returncode and "unshare" in done.stderr:
        pytest.skip("no user namespaces here")
    assert done.stdout == "told of both\n", done.stderr
    assert done.stderr.count("folders cannot be watched") == 1
    assert "fs.inotify.max_user_watches" in done.stderr
