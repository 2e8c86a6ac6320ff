"""The file in the state directory: made, checked, read without a trace, set aside, survived."""

from __future__ import annotations

import fcntl
import os
import shutil
import sqlite3
import subprocess
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from functools import partial
from pathlib import Path

import pytest

from reconciler.model.memory import Memory
from reconciler.store import StateError, Store, schema
from reconciler.store.database import open_file, transaction
from tests.unit.store import saver

MEMORY = Memory(up={f"container-{number}": 1.0 for number in range(300)})
ROOT = Path(__file__).parents[3]


def save(state_dir: Path, memory: Memory = MEMORY) -> None:
    """Keep this memory."""
    with Store.open(state_dir) as store:
        assert store.notices == ()
        store.project("engine", "default", "shop").save(memory)


def load(state_dir: Path, *, read_only: bool = False) -> Memory:
    """What the directory's file remembers, which must be without fault."""
    with Store.open(state_dir, read_only=read_only) as store:
        memory = store.project("engine", "default", "shop").load()
        assert store.notices == ()
        return memory


def traces(folder: Path) -> dict[str, tuple[bytes, int]]:
    """All that a write would change."""
    return {path.name: (path.read_bytes(), path.stat().st_mtime_ns) for path in [*folder.iterdir()]}


@pytest.fixture
def killed(tmp_path: Path) -> Path:
    """A directory as a run leaves it that is killed after a save: the journals hold it all."""
    with Store.open(tmp_path / "running") as store:
        store.project("engine", "default", "shop").save(MEMORY)
        shutil.copytree(tmp_path / "running", tmp_path / "killed")
    return tmp_path / "killed"


def test_what_is_saved_is_there_later(tmp_path: Path) -> None:
    """Closing leaves one file, and no journals."""
    save(tmp_path)
    assert load(tmp_path) == MEMORY
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]


def test_nobody_else_reads_it(tmp_path: Path) -> None:
    """Definitions may hold secrets: the directory is 0700, the file and its journals are 0600."""
    folder = tmp_path / "new" / "state"
    with Store.open(folder) as store:
        store.project("engine", "default", "shop").save(MEMORY)
        modes = {path.name: path.stat().st_mode & 0o777 for path in folder.iterdir()}
    assert folder.stat().st_mode & 0o777 == 0o700
    assert modes == {"state.db": 0o600, "state.db-wal": 0o600, "state.db-shm": 0o600}


def test_two_processes_may_have_it_open(tmp_path: Path) -> None:
    """Each keeps its own project."""
    with Store.open(tmp_path) as one, Store.open(tmp_path) as two:
        shop, blog = one.project("engine", "default", "shop"), two.project("engine", "default", "blog")
        shop.save(MEMORY)
        blog.save(Memory(done={"op": 1.0}))
        assert two.project("engine", "default", "shop").load() == MEMORY
        assert one.project("engine", "default", "blog").load() == Memory(done={"op": 1.0})


def test_reading_makes_nothing(tmp_path: Path) -> None:
    """No directory and no file where there was none."""
    with Store.open(tmp_path / "state", read_only=True) as store:
        assert store.project("engine", "default", "shop").load() == Memory()
        store.project("engine", "default", "shop").save(MEMORY)
        assert store.project("engine", "default", "shop").load() == MEMORY
    assert list(tmp_path.iterdir()) == []


def test_reading_leaves_no_trace(tmp_path: Path) -> None:
    """The file stays as it is whatever is saved to the copy."""
    save(tmp_path)
    before = traces(tmp_path)
    with Store.open(tmp_path, read_only=True) as store:
        project = store.project("engine", "default", "shop")
        assert project.load() == MEMORY
        project.save(Memory())
        assert traces(tmp_path) == before
    assert traces(tmp_path) == before


def test_reading_beside_a_run(tmp_path: Path) -> None:
    """What the run saved last is seen, and the run goes on undisturbed."""
    with Store.open(tmp_path) as running:
        project = running.project("engine", "default", "shop")
        project.save(MEMORY)
        before = set(traces(tmp_path))
        assert load(tmp_path, read_only=True) == MEMORY
        assert set(traces(tmp_path)) == before
        project.save(Memory())
        assert load(tmp_path, read_only=True) == Memory()


def test_reading_after_a_kill(killed: Path) -> None:
    """What only the journals hold is seen, and they stay as they are."""
    before = traces(killed)
    assert set(before) == {"state.db", "state.db-wal", "state.db-shm"}
    assert load(killed, read_only=True) == MEMORY
    assert traces(killed) == before
    assert load(killed) == MEMORY


def test_reading_with_one_journal_missing(killed: Path) -> None:
    """As a careless copy of the directory: the last saves may be missing, but nothing is made or changed."""
    (killed / "state.db-shm").unlink()
    before = traces(killed)
    with Store.open(killed, read_only=True):
        assert traces(killed) == before
    assert load(killed) == MEMORY


@pytest.mark.parametrize("damage", [b"no database at all, but long enough to be one" * 20, b"SQLite format 3\0 and on"])
def test_a_file_that_is_no_database_is_set_aside(tmp_path: Path, damage: bytes) -> None:
    """A notice says where it is and what that costs; the next run knows nothing of it."""
    (tmp_path / "state.db").write_bytes(damage)
    with Store.open(tmp_path) as store:
        (notice,) = store.notices
        store.project("engine", "default", "shop").save(MEMORY)
    (aside,) = tmp_path.glob("state.db.corrupt-*")
    assert aside.read_bytes() == damage
    assert notice.code == "StateSetAside"
    assert notice.source == str(tmp_path / "state.db")
    assert f"is damaged and was set aside as {aside}: the history" in notice.message
    assert load(tmp_path) == MEMORY


def test_a_damaged_page_is_noticed_at_open(tmp_path: Path) -> None:
    """Not only when a run comes to read it."""
    save(tmp_path)
    content = bytearray((tmp_path / "state.db").read_bytes())
    content[3 * 4096 : 4 * 4096] = b"\xff" * 4096
    (tmp_path / "state.db").write_bytes(content)
    before = traces(tmp_path)
    with Store.open(tmp_path, read_only=True) as store:
        assert [notice.code for notice in store.notices] == ["StateUnreadable"]
        assert store.project("engine", "default", "shop").load() == Memory()
    assert traces(tmp_path) == before
    with Store.open(tmp_path) as store:
        assert [notice.code for notice in store.notices] == ["StateSetAside"]


DAMAGES: dict[str, Callable[[bytes], bytes]] = {
    "cut off in a page": lambda whole: whole[:5000],
    "cut off after a page": lambda whole: whole[:4096],
    "cut off in the head": lambda whole: whole[:50],
    "garbage": lambda whole: b"\xff" * len(whole),
    "garbage in the head": lambda whole: whole[:16] + b"\0\3" + whole[18:],
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_reading_a_damaged_file_warns_and_goes_on(tmp_path: Path, damage: str) -> None:
    """As with an empty one, leaving no trace; the warning says that the next converge sets it aside, and it does."""
    save(tmp_path)
    path = tmp_path / "state.db"
    path.write_bytes(DAMAGES[damage](path.read_bytes()))
    before = traces(tmp_path)
    with Store.open(tmp_path, read_only=True) as store:
        (notice,) = store.notices
        project = store.project("engine", "default", "shop")
        assert (project.load(), project.history()) == (Memory(), ())
    assert (notice.code, notice.source) == ("StateUnreadable", str(path))
    assert "the state file is damaged and counts as empty: the next converge sets it aside" in notice.message
    assert traces(tmp_path) == before
    with Store.open(tmp_path) as store:
        assert [notice.code for notice in store.notices] == ["StateSetAside"]


def test_journals_are_set_aside_with_their_file(tmp_path: Path) -> None:
    """One that stays, because another run has it open, would be played back into the next file."""
    save(tmp_path)
    with Store.open(tmp_path) as running:
        running.project("engine", "default", "shop").save(Memory(up={**MEMORY.up, "late": 2.0}))
        (tmp_path / "state.db").write_bytes(b"\xff" * 8192)
        with Store.open(tmp_path) as store:
            assert store.project("engine", "default", "shop").load() == Memory()
            assert [notice.code for notice in store.notices] == ["StateSetAside"]
        aside = sorted(path.name.partition("Z")[2] for path in tmp_path.glob("state.db.corrupt-*"))
        assert aside == ["", "-shm", "-wal"]
    assert load(tmp_path) == Memory()


def test_another_programs_database_is_set_aside(tmp_path: Path) -> None:
    """It is not written to."""
    with closing(sqlite3.connect(tmp_path / "state.db")) as other, other:
        other.execute("CREATE TABLE recipe (name)")
    with Store.open(tmp_path) as store:
        assert "was not made by this program" in store.notices[0].message
    (aside,) = tmp_path.glob("state.db.corrupt-*")
    with closing(sqlite3.connect(aside)) as other:
        assert other.execute("SELECT name FROM sqlite_schema").fetchall() == [("recipe",)]


def test_an_empty_file_is_a_new_one(tmp_path: Path) -> None:
    """As a run leaves it that was killed while it made it."""
    (tmp_path / "state.db").touch()
    assert load(tmp_path, read_only=True) == Memory()
    save(tmp_path)
    assert load(tmp_path) == MEMORY


@pytest.mark.parametrize("read_only", [False, True])
def test_a_newer_programs_file_is_left_alone(tmp_path: Path, read_only: bool) -> None:
    """The error says to upgrade, and the file stays as it is."""
    save(tmp_path)
    with closing(sqlite3.connect(tmp_path / "state.db")) as file:
        file.execute("PRAGMA user_version = 99")
    content = (tmp_path / "state.db").read_bytes()
    with pytest.raises(StateError, match=r"state.db: the state file is of version 99.* \(upgrade reconcile"):
        Store.open(tmp_path, read_only=read_only)
    assert [path.name for path in tmp_path.iterdir()] == ["state.db"]
    assert (tmp_path / "state.db").read_bytes() == content


def test_a_directory_that_cannot_be_made_is_told(tmp_path: Path) -> None:
    """With its name, and the option that names another."""
    (tmp_path / "file").touch()
    with pytest.raises(StateError, match=rf"{tmp_path}/file/state: .*Not a directory .*--state-dir"):
        Store.open(tmp_path / "file" / "state")


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    """With its name, and the option that names another directory."""
    (tmp_path / "state.db").mkdir()
    for read_only in (False, True):
        with pytest.raises(StateError, match=rf"{tmp_path}/state.db: the state file cannot be used: .*--state-dir"):
            Store.open(tmp_path, read_only=read_only)


def test_a_full_disk_is_told(tmp_path: Path) -> None:
    """What was saved before stays, and the next save makes up for it once there is room."""
    large = Memory(up={f"another-{number}": 2.0 for number in range(5000)})
    with Store.open(tmp_path) as store:
        project = store.project("engine", "default", "shop")
        project.save(MEMORY)
        (pages,) = store._connection.execute("PRAGMA page_count").fetchone()
        store._connection.execute(f"PRAGMA max_page_count = {pages + 2}")
        with pytest.raises(StateError, match=r"disk is full .*has room.*--state-dir"):
            project.save(large)
        assert load(tmp_path, read_only=True) == MEMORY
        store._connection.execute("PRAGMA max_page_count = 100000")
        project.save(large)
    assert load(tmp_path) == large


def test_a_file_that_stays_locked_is_told(tmp_path: Path) -> None:
    """After waiting for the other process, and the next save makes up for it."""
    with Store.open(tmp_path) as store, closing(sqlite3.connect(tmp_path / "state.db", isolation_level=None)) as other:
        store._connection.execute("PRAGMA busy_timeout = 0")
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(StateError, match=r"locked .*other process"):
            store.project("engine", "default", "shop").save(MEMORY)
        other.execute("ROLLBACK")
        store.project("engine", "default", "shop").save(MEMORY)
    assert load(tmp_path) == MEMORY


def test_a_closed_store_is_a_mistake_of_the_program(tmp_path: Path) -> None:
    """It is not told as a fault of the file."""
    store = Store.open(tmp_path)
    store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.project("engine", "default", "shop").load()


def test_it_is_closed_even_where_the_directory_cannot_be_locked(tmp_path: Path) -> None:
    """Somebody put a file in its place meanwhile: that is told, and nothing stays open."""
    store = Store.open(tmp_path / "state")
    (tmp_path / "state").rename(tmp_path / "aside")
    (tmp_path / "state").write_text("")
    with pytest.raises(StateError, match="the state directory cannot be used"):
        store.close()
    with pytest.raises(sqlite3.ProgrammingError):
        store.project("engine", "default", "shop").load()


def test_an_older_file_is_brought_up_to_date(tmp_path: Path) -> None:
    """Only the steps that it lacks are taken, and what it holds stays."""
    save(tmp_path)
    step = ("ALTER TABLE memory ADD COLUMN note TEXT NOT NULL DEFAULT 'none'",)
    connection, _ = open_file(tmp_path)
    with closing(connection):
        for _again in range(2):
            with transaction(connection):
                schema.migrate(connection, (*schema.MIGRATIONS, step))
        assert schema.version(connection) == len(schema.MIGRATIONS) + 1
        assert connection.execute("SELECT count(*), max(note) FROM memory").fetchone() == (len(MEMORY.up), "none")


def test_a_step_that_fails_leaves_the_file_as_it_was(tmp_path: Path) -> None:
    """Neither its tables nor its version change."""
    save(tmp_path)
    connection, _ = open_file(tmp_path)
    step = ("DROP TABLE memory", "CREATE TABLE memory (")
    with closing(connection), pytest.raises(sqlite3.OperationalError), transaction(connection):
        schema.migrate(connection, (*schema.MIGRATIONS, step))
    assert load(tmp_path) == MEMORY


def test_every_version_leads_to_the_newest(tmp_path: Path) -> None:
    """A file of any earlier version gets the same tables as a new one."""
    tables = "SELECT name, sql FROM sqlite_schema ORDER BY name"
    with closing(sqlite3.connect(":memory:")) as new:
        schema.migrate(new)
        expected = new.execute(tables).fetchall()
    for version in range(len(schema.MIGRATIONS)):
        with closing(sqlite3.connect(":memory:")) as old:
            schema.migrate(old, schema.MIGRATIONS[:version])
            schema.migrate(old)
            assert old.execute(tables).fetchall() == expected


def test_a_kill_at_any_moment_loses_no_save_and_halves_none(tmp_path: Path) -> None:
    """What was said to be saved is there after kill -9, and every entry is of one and the same save."""
    for saves in (1, 7, 60, 200):
        with subprocess.Popen(
            [sys.executable, "-m", "tests.unit.store.saver", str(tmp_path)], stdout=subprocess.PIPE, text=True, cwd=ROOT
        ) as process:
            assert process.stdout
            done = [int(process.stdout.readline()) for _ in range(saves)]
            process.kill()
            done += [int(line) for line in process.stdout if line.endswith("\n")]
        loaded = load(tmp_path)
        assert loaded == saver.memory(int(max(loaded.up.values())))
        assert max(loaded.up.values()) in {done[-1], done[-1] + 1}


@pytest.mark.parametrize("read_only", [True, False])
def test_no_copy_is_made_while_the_journals_come_or_go(tmp_path: Path, *, read_only: bool) -> None:
    """They come with the first one to open the file and go with the last: each waits for who is at it."""
    save(tmp_path)
    store = Store.open(tmp_path, read_only=read_only)
    directory = os.open(tmp_path, os.O_RDONLY)
    fcntl.flock(directory, fcntl.LOCK_EX if read_only else fcntl.LOCK_SH)
    does: Callable[[], object] = partial(load, tmp_path, read_only=True) if read_only else store.close
    waits = threading.Thread(target=does)
    waits.start()
    waits.join(0.2)
    assert waits.is_alive()
    assert not read_only or traces(tmp_path).keys() == {"state.db"}
    assert read_only or traces(tmp_path).keys() == {"state.db", "state.db-wal", "state.db-shm"}
    os.close(directory)
    waits.join()
    store.close()
    assert load(tmp_path, read_only=True) == MEMORY
