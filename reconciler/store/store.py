"""The store of a command: one state file, of all projects, instances and engines."""

from __future__ import annotations

import sqlite3
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Self

from reconciler.age import Keyring
from reconciler.model.origin import Origin
from reconciler.model.project import Notice
from reconciler.store.database import FILE_NAME, close_file, open_copy, open_file, open_memory, told, transaction
from reconciler.store.project_store import ROLLOUTS_KEPT, ProjectStore

OF_PROJECTS = ("memory", "revision", "rollout", "suspension", "action", "origin")


class Store:
    """What outlives the program. For any number of threads, which take turns; a context manager."""

    def __init__(
        self,
        connection: sqlite3.Connection,
        path: Path,
        notices: tuple[Notice, ...] = (),
        rollouts_kept: int = ROLLOUTS_KEPT,
        keyring: Keyring | None = None,
        state_dir: Path | None = None,
    ) -> None:
        self._state_dir = state_dir
        self._keyring = keyring or Keyring()
        self._connection = connection
        self._path = path
        self._notices = list(notices)
        self._turn = threading.RLock()
        self._projects: dict[tuple[str, str, str], ProjectStore] = {}
        self._rollouts_kept = rollouts_kept

    @classmethod
    def open(
        cls,
        state_dir: Path,
        *,
        read_only: bool = False,
        rollouts_kept: int = ROLLOUTS_KEPT,
        keyring: Keyring | None = None,
    ) -> Self:
        """The store in a directory, made where it is absent; `read_only`: as it stands now, and nothing is written.

        What is saved to a read-only store is gone with it. `rollouts_kept` bounds the history of each project, from its
        next rollout on; the `keyring` encrypts what specs keep encrypted. StateError where the directory or the file
        cannot be used, or a newer program made it.
        """
        connection, notices = (open_copy if read_only else open_file)(state_dir)
        return cls(
            connection,
            state_dir / FILE_NAME,
            notices,
            rollouts_kept,
            keyring,
            state_dir=None if read_only else state_dir,
        )

    @classmethod
    def in_memory(cls, rollouts_kept: int = ROLLOUTS_KEPT, keyring: Keyring | None = None) -> Self:
        """A store that nobody keeps."""
        return cls(open_memory(), Path(FILE_NAME), (), rollouts_kept, keyring)

    def __enter__(self) -> Self:
        """Use as a context manager."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close it."""
        self.close()

    def close(self) -> None:
        """Close the file; what was saved is in it."""
        with self._turn:
            if self._state_dir is None:
                self._connection.close()
            else:
                close_file(self._connection, self._state_dir)

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What could not be read and was set aside or dropped so far, and what that costs."""
        return tuple(self._notices)

    def project(self, engine_id: str, instance: str, project: str) -> ProjectStore:
        """What is kept of a project of an instance on an engine; the same object for all who ask."""
        owner = (engine_id, instance, project)
        with self._turn:
            if owner not in self._projects:
                self._projects[owner] = ProjectStore(
                    self._connection, owner, self._guard, self._notices.append, self._rollouts_kept, self._keyring
                )
            return self._projects[owner]

    def origins(self, engine_id: str, instance: str) -> Mapping[str, Origin]:
        """Where each project of an instance came from, by its name, of those that a source had. StateError too."""
        names = self.projects(engine_id, instance)
        found = ((name, self.project(engine_id, instance, name).origin()) for name in names)
        return {name: origin for name, origin in found if origin}

    def projects(self, engine_id: str, instance: str) -> tuple[str, ...]:
        """The names of the projects of which something is kept, sorted. StateError where that cannot be read."""
        select = "SELECT name FROM project WHERE engine = ? AND instance = ? ORDER BY name"
        with self._guard():
            return tuple(row[0] for row in self._connection.execute(select, (engine_id, instance)))

    def others(self, engine_id: str, instance: str) -> tuple[tuple[str, ProjectStore], ...]:
        """What other instances keep of projects on an engine, by `PROJECT of instance NAME`, sorted; StateError too."""
        select = "SELECT name, instance FROM project WHERE engine = ? AND instance != ? ORDER BY instance, name"
        with self._guard():
            found = self._connection.execute(select, (engine_id, instance)).fetchall()
        return tuple((f"{name} of instance {other}", self.project(engine_id, other, name)) for name, other in found)

    def forget_gone(self, before: float) -> None:
        """Forget all of the projects that are gone since before then (seconds since the epoch), but suspended ones."""
        suspended = "SELECT project FROM suspension"
        select = f"SELECT id, engine, instance, name FROM project WHERE gone_at < ? AND id NOT IN ({suspended})"  # noqa: S608 - our own names
        with self._guard(), transaction(self._connection):
            for project, engine, instance, name in self._connection.execute(select, (before,)).fetchall():
                for table in OF_PROJECTS:
                    self._connection.execute(f"DELETE FROM {table} WHERE project = ?", (project,))  # noqa: S608
                self._connection.execute("DELETE FROM project WHERE id = ?", (project,))
                if kept := self._projects.pop((engine, instance, name), None):
                    kept.read_again()

    @contextmanager
    def _guard(self) -> Iterator[None]:
        """This thread has the file to itself; what goes wrong with it is told."""
        with self._turn, told(self._path):
            yield
