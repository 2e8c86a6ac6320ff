"""What is kept of one project of one instance on one engine."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Collection, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import replace
from typing import Any

from reconciler.age import Keyring
from reconciler.encoding import UnreadableError, decode, encode
from reconciler.model.history import ActionRecord, RolloutRecord
from reconciler.model.memory import Memory, Stable
from reconciler.model.origin import Origin
from reconciler.model.project import Notice
from reconciler.model.suspension import Suspension
from reconciler.store.database import transaction
from reconciler.store.rows import Table, tables
from reconciler.store.sealing import opened, sealed

REVISIONS_KEPT = 20
ROLLOUTS_KEPT = 1000
GONE_KEPT = 20
_ABSENT = object()
_SAVE = (
    "INSERT INTO memory (project, field, key, value) VALUES (?, ?, ?, ?)"
    " ON CONFLICT (project, field, key) DO UPDATE SET value = excluded.value"
)

Guard = Callable[[], AbstractContextManager[None]]
Rows = Iterable[tuple[Any, ...]]


class ProjectStore:
    """Memory, revisions and history of a project. A row that cannot be read is removed and told in a notice.

    Suspensions, actions and the origin are written at once, each by itself: whatever else is under way. Every method
    raises StateError where the file cannot be read or written.
    """

    def __init__(
        self,
        connection: sqlite3.Connection,
        owner: tuple[str, str, str],
        guard: Guard,
        tell: Callable[[Notice], None],
        rollouts_kept: int = ROLLOUTS_KEPT,
        keyring: Keyring | None = None,
    ) -> None:
        self._connection = connection
        self._owner = owner
        self._guard = guard
        self._tell = tell
        self._rollouts_kept = rollouts_kept
        self._keyring = keyring or Keyring()
        self._saved: Memory | None = None
        self._version = 0

    def load(self) -> Memory:
        """What was saved last, complete but for what is a run's own (`TRANSIENT`).

        The file is read only where another connection has written to it since.
        """
        with self._guard():
            version = self._connection.execute("PRAGMA data_version").fetchone()[0]
            if self._saved is None or version != self._version:
                self._saved, self._version = self._read_memory(), version
            return replace(self._saved, suspended=self.suspended())

    def read_again(self) -> None:
        """Keep nothing in memory that is in the file: the next `load` reads it."""
        with self._guard():
            self._saved = None

    def _read_memory(self) -> Memory:
        known = {table.field: table for table in tables()}
        entries: dict[str, dict[Any, Any]] = {field: {} for field in known}
        rows = self._read("SELECT rowid, field, key, value FROM memory WHERE project = ? ORDER BY rowid")
        for field, key, value in self._readable(
            "memory", "remembered entries", rows, lambda row: self._entry(known.get(row[0]), row[1], row[2])
        ):
            entries[field][key] = value
        return Memory(**{field: known[field].content(found) for field, found in entries.items()})

    def save(self, memory: Memory) -> None:
        """Keep this memory: what differs from what was loaded or saved last, all of it or nothing."""
        memory = _lasting(memory)
        with self._guard():
            saved = self._saved or self.load()
            changed = [table for table in tables() if _differs(table, saved, memory)]
            if changed:
                self._write(changed, saved, memory)
            self._saved = memory

    def _write(self, changed: list[Table], saved: Memory, memory: Memory) -> None:
        puts = [row for table in changed for row in self._puts(table, saved, memory)]
        drops = [row for table in changed for row in _drops(table, saved, memory)]
        with transaction(self._connection):
            project = self._entered()
            self._connection.executemany(_SAVE, [(project, *row) for row in puts])
            delete = "DELETE FROM memory WHERE project = ? AND field = ? AND key = ?"
            self._connection.executemany(delete, [(project, *row) for row in drops])

    def add_revision(self, stable: Stable) -> Stable:
        """The stable definition as the service's next revision; the newest where that is the same hash and image."""
        service = stable.service.name
        newest = next(iter(self._revisions(service, 1)), None)
        if newest and (newest.spec_hash, newest.image_id) == (stable.spec_hash, stable.image_id):
            return newest
        with self._guard(), transaction(self._connection):
            project = self._entered()
            last = "SELECT coalesce(max(number), 0) FROM revision WHERE project = ? AND service = ?"
            number = self._connection.execute(last, (project, service)).fetchone()[0] + 1
            numbered = replace(stable, revision=number)
            row = (project, service, number, encode(Stable, sealed(numbered, self._keyring)))
            self._connection.execute("INSERT INTO revision VALUES (?, ?, ?, ?)", row)
            delete = "DELETE FROM revision WHERE project = ? AND service = ? AND number <= ?"
            self._connection.execute(delete, (project, service, number - REVISIONS_KEPT))
        return numbered

    def revisions(self, service: str) -> tuple[Stable, ...]:
        """The service's stable definitions, oldest first; the last 20 are kept."""
        return self._revisions(service, REVISIONS_KEPT)[::-1]

    def services(self) -> tuple[str, ...]:
        """The services that have stable definitions, sorted."""
        rows = self._read("SELECT DISTINCT service FROM revision WHERE project = ? ORDER BY service")
        return tuple(row[0] for row in rows)

    def begin(self, record: RolloutRecord) -> RolloutRecord:
        """The record of a rollout that begins, numbered."""
        with self._guard(), transaction(self._connection):
            project = self._entered()
            newest = "SELECT coalesce(max(number), 0) FROM rollout WHERE project = ?"
            numbered = replace(record, number=self._connection.execute(newest, (project,)).fetchone()[0] + 1)
            row = (project, numbered.number, numbered.service, encode(RolloutRecord, numbered))
            self._connection.execute("INSERT INTO rollout VALUES (?, ?, ?, ?)", row)
            delete = "DELETE FROM rollout WHERE project = ? AND number <= ?"
            self._connection.execute(delete, (project, numbered.number - self._rollouts_kept))
        return numbered

    def update(self, record: RolloutRecord) -> None:
        """Keep how a rollout that `begin` numbered goes on; nothing where its record is no longer kept."""
        value = encode(RolloutRecord, record)
        with self._guard(), transaction(self._connection):
            change = "UPDATE rollout SET value = ? WHERE project = ? AND number = ?"
            self._connection.execute(change, (value, self._project(), record.number))

    def history(self, service: str | None = None, limit: int = 50) -> tuple[RolloutRecord, ...]:
        """The last rollouts, of one service or of all, newest first; as many of the project as the store keeps."""
        select = (
            "SELECT rowid, value FROM rollout WHERE project = ? AND service = coalesce(?, service)"
            " ORDER BY number DESC LIMIT ?"
        )
        return self._values("rollout", "rollouts of the history", RolloutRecord, self._read(select, service, limit))

    def forget_gone_services(self, present: Collection[str]) -> None:
        """Remove the stable definitions of services that are not among these, but for the 20 that were so last."""
        rows = self._read("SELECT service, max(rowid) FROM revision WHERE project = ? GROUP BY service ORDER BY 2 DESC")
        gone = [service for service, _ in rows if service not in present][GONE_KEPT:]
        if gone:
            with self._guard(), transaction(self._connection):
                delete = "DELETE FROM revision WHERE project = ? AND service = ?"
                self._connection.executemany(delete, [(self._project(), service) for service in gone])

    def suspend(self, service: str, suspension: Suspension) -> None:
        """Let a service alone from now on, "" being the whole project; what was said of it before is replaced."""
        with self._guard(), transaction(self._connection):
            row = (self._numbered(), service, encode(Suspension, suspension))
            self._connection.execute("INSERT OR REPLACE INTO suspension VALUES (?, ?, ?)", row)

    def resume(self, service: str) -> bool:
        """End that; whether it was so."""
        with self._guard(), transaction(self._connection):
            delete = "DELETE FROM suspension WHERE project = ? AND service = ?"
            return self._connection.execute(delete, (self._project(), service)).rowcount > 0

    def suspended(self) -> Mapping[str, Suspension]:
        """What is let alone now, by service, "" being the whole project."""
        rows = self._read("SELECT rowid, service, value FROM suspension WHERE project = ? ORDER BY service")
        return dict(self._readable("suspension", "suspensions", rows, lambda row: (row[0], decode(Suspension, row[1]))))

    def record(self, action: ActionRecord) -> None:
        """Keep what a person asked for; as many of the project are kept as rollouts."""
        with self._guard(), transaction(self._connection):
            project = self._numbered()
            newest = "SELECT coalesce(max(number), 0) FROM action WHERE project = ?"
            number = self._connection.execute(newest, (project,)).fetchone()[0] + 1
            row = (project, number, action.service, encode(ActionRecord, action))
            self._connection.execute("INSERT INTO action VALUES (?, ?, ?, ?)", row)
            delete = "DELETE FROM action WHERE project = ? AND number <= ?"
            self._connection.execute(delete, (project, number - self._rollouts_kept))

    def actions(self, service: str | None = None, limit: int = 50) -> tuple[ActionRecord, ...]:
        """What persons asked for last, newest first; of one service also what they asked for the whole project."""
        select = (
            "SELECT rowid, value FROM action WHERE project = ? AND service IN (coalesce(?, service), '')"
            " ORDER BY number DESC LIMIT ?"
        )
        return self._values("action", "actions of the history", ActionRecord, self._read(select, service, limit))

    def origin(self) -> Origin | None:
        """Where the project came from last; None where no source had it, or it was removed since."""
        rows = self._read("SELECT rowid, value FROM origin WHERE project = ?")
        return next(iter(self._values("origin", "origins", Origin, rows)), None)

    def keep_origin(self, origin: Origin) -> None:
        """Note where the project comes from now; nothing is written where that is known, whatever `at` says.

        Whether it has left the same source is not touched: who tells this may have begun before it left.
        """
        with self._guard():
            known = self.origin()
            if known and known.source == origin.source:
                origin = replace(origin, left=known.left)
            if known is None or replace(known, at=origin.at) != origin:
                self._write_origin(origin)

    def note_left(self, source: str, left: bool) -> None:  # noqa: FBT001 - what is noted
        """Note whether this source has the project no more; nothing where it came from none or from another one."""
        with self._guard():
            known = self.origin()
            if known and known.source == source and known.left != left:
                self._write_origin(replace(known, left=left))

    def _write_origin(self, origin: Origin) -> None:
        with transaction(self._connection):
            row = (self._entered(), encode(Origin, origin))
            self._connection.execute("INSERT OR REPLACE INTO origin VALUES (?, ?)", row)

    def gone(self, at: float) -> None:
        """Note that nothing runs of the project any more since then (seconds since the epoch), as somebody wanted it.

        Where it came from is forgotten at once, the rest when `Store.forget_gone` says so, unless it comes back.
        """
        with self._guard(), transaction(self._connection):
            self._connection.execute("DELETE FROM origin WHERE project = ?", (self._project(),))
            self._connection.execute("UPDATE project SET gone_at = ? WHERE id = ?", (at, self._project()))

    def _revisions(self, service: str, limit: int) -> tuple[Stable, ...]:
        """The last ones, newest first."""
        select = "SELECT rowid, value FROM revision WHERE project = ? AND service = ? ORDER BY number DESC LIMIT ?"
        return self._values("revision", f"revisions of {service}", Stable, self._read(select, service, limit))

    def _entry(self, table: Table | None, key: str, value: str) -> tuple[str, Any, Any]:
        if not table:
            raise UnreadableError("a field that there is no more")
        return table.field, decode(table.key, key), opened(decode(table.value, value), self._keyring)

    def _puts(self, table: Table, saved: Memory, memory: Memory) -> list[tuple[str, str, str]]:
        """Rows of what is new or differs."""
        before, after = table.entries(saved), table.entries(memory)
        changed = [key for key, value in after.items() if _changed(before.get(key, _ABSENT), value)]
        written = ((key, encode(table.value, sealed(after[key], self._keyring))) for key in changed)
        return [(table.field, encode(table.key, key), text) for key, text in written]

    def _project(self) -> int:
        """The project's number in the file, 0 where it has none."""
        select = "SELECT id FROM project WHERE engine = ? AND instance = ? AND name = ?"
        found = self._connection.execute(select, self._owner).fetchone()
        return found[0] if found else 0

    def _entered(self) -> int:
        """The same for what only a project has that is here, or comes back."""
        project = self._numbered()
        self._connection.execute("UPDATE project SET gone_at = NULL WHERE id = ? AND gone_at IS NOT NULL", (project,))
        return project

    def _numbered(self) -> int:
        """The project's number in the file, in a transaction that gives it one where it has none."""
        insert = "INSERT INTO project (engine, instance, name) VALUES (?, ?, ?)"
        return self._project() or self._connection.execute(insert, self._owner).lastrowid or 0

    def _read(self, select: str, *values: object) -> Rows:
        with self._guard():
            return self._connection.execute(select, (self._project(), *values)).fetchall()

    def _values(self, table: str, what: str, kind: Any, rows: Rows) -> tuple[Any, ...]:
        return tuple(self._readable(table, what, rows, lambda row: opened(decode(kind, row[0]), self._keyring)))

    def _readable(self, table: str, what: str, rows: Rows, read: Callable[[tuple[Any, ...]], Any]) -> list[Any]:
        """What the rows say, each beginning with its rowid; those that say nothing are removed."""
        found, bad = [], []
        for rowid, *row in rows:
            try:
                found.append(read(tuple(row)))
            except UnreadableError:
                bad.append((rowid,))
        if bad:
            with self._guard(), transaction(self._connection):
                self._connection.executemany(f"DELETE FROM {table} WHERE rowid = ?", bad)  # noqa: S608 - our own names
            message = f"project {self._owner[2]}: {len(bad)} {what} cannot be read and were dropped"
            self._tell(Notice("StateEntryDropped", message))
        return found


def _lasting(memory: Memory) -> Memory:
    """The memory without what is a run's own (`TRANSIENT`), or holds only for as long as a policy does."""
    if not (memory.failed_operations or memory.refused or memory.quarantined or memory.earlier or memory.denied):
        return memory
    if denied := memory.denied:
        kept = {key: failure for key, failure in memory.failures.items() if key not in denied}
        memory = replace(memory, failures=kept)
    return replace(memory, failed_operations={}, refused=frozenset(), quarantined=frozenset(), earlier=frozenset())


def _differs(table: Table, saved: Memory, memory: Memory) -> bool:
    before, after = getattr(saved, table.field), getattr(memory, table.field)
    return before is not after and before != after


def _drops(table: Table, saved: Memory, memory: Memory) -> list[tuple[str, str]]:
    """Keys of what is there no more."""
    before: Mapping[Any, Any] = table.entries(saved)
    after = table.entries(memory)
    return [(table.field, encode(table.key, key)) for key in before if key not in after]


def _changed(before: object, after: object) -> bool:
    return before is not after and before != after
