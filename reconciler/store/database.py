"""The state file: opened, checked, brought up to date, set aside where it is damaged; transactions in it."""

from __future__ import annotations

import fcntl
import os
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path

from reconciler.errors import ReconcilerError
from reconciler.model.project import Notice
from reconciler.store import schema

FILE_NAME = "state.db"
BUSY_SECONDS = 10.0
CHECKPOINT_PAGES = 4000
_JOURNALS = ("-wal", "-shm")
_DAMAGE = {sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB}
_COST = (
    "the history and what services could be rolled back to are lost,"
    " and a definition that is known to be bad may be tried once more"
)


class StateError(ReconcilerError):
    """The state file or its directory cannot be used; the message says why, the hint what to do."""

    code = "StateUnusable"


class UnusableError(Exception):
    """The file is damaged or not ours; the text says which."""


def open_file(state_dir: Path) -> tuple[sqlite3.Connection, tuple[Notice, ...]]:
    """The state file of a directory, made where it is absent, replaced by a new one where it is unusable.

    The notice names where an unusable one was put. StateError where the directory cannot be written, or the file is a
    newer program's.
    """
    path = state_dir / FILE_NAME
    with told(path):
        state_dir.mkdir(mode=0o700, parents=True, exist_ok=True)
    with told(path), _held(state_dir, fcntl.LOCK_EX):
        try:
            return _open(path), ()
        except UnusableError as error:
            aside = _set_aside(path)
            message = f"the state file {error} and was set aside as {aside}: {_COST}"
            return _open(path), (Notice("StateSetAside", message, str(path)),)


def open_copy(state_dir: Path) -> tuple[sqlite3.Connection, tuple[Notice, ...]]:
    """A copy in memory of the state file of a directory, empty where there is none or it is unusable; writes nothing.

    The notice names an unusable one. StateError where it cannot be read or is a newer program's.
    """
    path = state_dir / FILE_NAME
    with told(path), _held(state_dir, fcntl.LOCK_SH):
        try:
            return _checked(_copied(path), path), ()
        except UnusableError as error:
            message = f"the state file {error} and counts as empty: the next converge sets it aside, and {_COST}"
            return open_memory(), (Notice("StateUnreadable", message, str(path)),)


def close_file(connection: sqlite3.Connection, state_dir: Path) -> None:
    """Close what `open_file` opened: not while a copy is made, for the last one to close takes the journals away.

    It is closed even where the directory cannot be locked; StateError says so.
    """
    with told(state_dir / FILE_NAME), closing(connection), _held(state_dir, fcntl.LOCK_EX):
        connection.close()  # once more is nothing


def open_memory() -> sqlite3.Connection:
    """A state that nobody keeps."""
    return _checked(_connect(":memory:"), Path(FILE_NAME))


@contextmanager
def transaction(connection: sqlite3.Connection) -> Iterator[None]:
    """All that is written in it, or nothing."""
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:  # SQLite has rolled back by itself where the disk is full
            connection.execute("ROLLBACK")
        raise


@contextmanager
def told(path: Path) -> Iterator[None]:
    """What goes wrong with the file, as a StateError that says what to do."""
    try:
        yield
    except OSError as error:
        message = f"the state directory cannot be used: {error.strerror}"
        hint = "make it writable, or name another one with --state-dir"
        raise StateError(message, source=str(path.parent), hint=hint) from error
    except sqlite3.ProgrammingError:
        raise  # a mistake of ours, not the file's
    except sqlite3.DatabaseError as error:
        needs = f"see that {path.parent} is writable and has room, and that no other process holds the file"
        hint = f"{needs}, or name another directory with --state-dir"
        raise StateError(f"the state file cannot be used: {error}", source=str(path), hint=hint) from error


def _connect(target: str) -> sqlite3.Connection:
    """A connection for any thread, one at a time: `Store` sees to that."""
    return sqlite3.connect(target, uri=True, timeout=BUSY_SECONDS, isolation_level=None, check_same_thread=False)


def _open(path: Path) -> sqlite3.Connection:
    if not path.exists():  # closing a descriptor of a file in use would drop SQLite's locks on it
        os.close(os.open(path, os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600))  # its journals take over the mode
    connection = _checked(_connect(_address(path, "mode=rw")), path)
    connection.execute("PRAGMA synchronous = NORMAL")
    connection.execute(f"PRAGMA wal_autocheckpoint = {CHECKPOINT_PAGES}")
    return connection


def _checked(connection: sqlite3.Connection, path: Path) -> sqlite3.Connection:
    """The connection, closed where the file behind it is not to be used."""
    try:
        _check(connection, path)
    except BaseException:
        connection.close()
        raise
    return connection


def _check(connection: sqlite3.Connection, path: Path) -> None:
    """See that the file is whole, ours and not a newer program's; bring it up to date."""
    with _damage_named():
        verdict = connection.execute("PRAGMA quick_check(1)").fetchone()[0]
        if verdict != "ok":
            raise UnusableError("is damaged")
        if not schema.is_ours(connection):
            raise UnusableError("was not made by this program")
        _refuse_newer(schema.version(connection), path)
        connection.execute("PRAGMA journal_mode = WAL")
        with transaction(connection):
            schema.migrate(connection)


@contextmanager
def _damage_named() -> Iterator[None]:
    """What SQLite says of a file that it cannot make sense of, as UnusableError; its other errors as they are."""
    try:
        yield
    except sqlite3.DatabaseError as error:
        if error.sqlite_errorcode & 0xFF in _DAMAGE:  # the low byte is the kind, the rest its detail
            raise UnusableError("is damaged") from error
        raise


def _refuse_newer(version: int, path: Path) -> None:
    known = len(schema.MIGRATIONS)
    if version > known:
        message = f"the state file is of version {version}, made by a newer program; this one knows version {known}"
        hint = "upgrade reconcile, or name another directory with --state-dir"
        raise StateError(message, source=str(path), hint=hint)


def _copied(path: Path) -> sqlite3.Connection:
    copy = _connect(":memory:")
    try:
        if path.exists():
            with _damage_named(), closing(_reader(path)) as source:
                source.backup(copy)
    except BaseException:
        copy.close()
        raise
    return copy


def _reader(path: Path) -> sqlite3.Connection:
    """The file for reading. Where a run is on or was killed, what it wrote last stands in the journals beside it."""
    journals = all(path.with_name(path.name + suffix).exists() for suffix in _JOURNALS)
    return _connect(_address(path, "mode=ro&readonly_shm=1" if journals else "mode=ro&immutable=1"))


def _address(path: Path, options: str) -> str:
    return f"{path.absolute().as_uri()}?{options}"


@contextmanager
def _held(state_dir: Path, how: int) -> Iterator[None]:
    """The directory, alone (LOCK_EX) or with others (LOCK_SH); one that does not exist is nobody's.

    Who opens or closes the file is alone: no two set the same one aside, nobody reads while its journals come or go.
    """
    try:
        descriptor = os.open(state_dir, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except FileNotFoundError:
        yield
        return
    try:
        fcntl.flock(descriptor, how)
        yield
    finally:
        os.close(descriptor)


def _set_aside(path: Path) -> Path:
    """Where the file is now; its journals go with it, for they would spoil the next one."""
    aside = path.with_name(f"{path.name}.corrupt-{datetime.now(UTC):%Y%m%dT%H%M%S.%fZ}")
    for suffix in ("", *_JOURNALS):
        if path.with_name(path.name + suffix).exists():
            path.with_name(path.name + suffix).rename(aside.with_name(aside.name + suffix))
    return aside
