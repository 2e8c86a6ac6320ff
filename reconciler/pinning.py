"""`reconcile images lock`: find out what the tags of projects name now, and write it down in their `reconcile.lock`."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Literal

from reconciler.errors import ReconcilerError, SpecError
from reconciler.images.resolution import policy_words
from reconciler.model.project import Pin, Project, Service
from reconciler.resolving import Resolver
from reconciler.spec.lockfile import (
    FILE_NAME,
    Entries,
    Entry,
    Lock,
    can_be_pinned,
    is_stale,
    read_lock,
    render_lock,
)

Verdict = Literal["kept", "added", "moved", "removed", "failed"]
Wanted = Callable[[Service], bool]


@dataclass(frozen=True)
class PinRow:
    """What became of one service's entry, or with `--check` would: `before` and `after` are its pins."""

    project: str
    service: str
    reference: str
    verdict: Verdict
    before: Pin | None = None
    after: Pin | None = None
    message: str = ""
    source: str = ""


def lock_project(project: Project, resolver: Resolver, moves: Wanted, now: float, *, write: bool) -> tuple[PinRow, ...]:
    """Bring the lock of a project's folder up to date; `moves` says which entries are looked up anew.

    Those that are missing, or pin another reference than the spec has, always are. An entry that cannot be looked up
    stays as it is. Nothing is written where nothing changes. SpecError where there is a lock that cannot be read, or
    the file cannot be written.
    """
    lock = read_lock(project.working_dir, str(Path.cwd()))
    entries = lock.get(project.name, {})
    pinnable = tuple(service for service in project.services if can_be_pinned(service))
    looked_up = tuple(service for service in pinnable if is_stale(service, entries) or moves(service))
    found = resolver.pins(looked_up, {name: entry.pin for name, entry in entries.items()})
    rows = [_row(project, service, entries, found.get(service.name), now) for service in pinnable]
    names = {service.name for service in pinnable} | project.disabled
    rows += [
        PinRow(project.name, name, entry.reference, "removed", entry.pin)
        for name, entry in entries.items()
        if name not in names
    ]
    if write:
        _write(project, lock, entries, rows)
    return tuple(rows)


def _row(
    project: Project, service: Service, entries: Entries, found: tuple[str, str] | ReconcilerError | None, now: float
) -> PinRow:
    entry, written = entries.get(service.name), service.image.reference
    row = PinRow(project.name, service.name, written, "kept", source=service.source("image"))
    row = replace(row, before=entry.pin, after=entry.pin) if entry else row
    if found is None:
        return row
    if isinstance(found, ReconcilerError):
        return replace(row, verdict="failed", message=str(found))
    reference, digest = found
    if entry and entry.reference == written and (entry.pin.reference, entry.pin.digest) == (reference, digest):
        return row
    pin = Pin(reference, digest, now, policy_words(service.image))
    return replace(row, verdict="moved" if entry else "added", after=pin)


def _write(project: Project, lock: Lock, entries: Entries, rows: Iterable[PinRow]) -> None:
    kept = {row.service: Entry(row.reference, row.after) for row in rows if row.after and row.verdict != "removed"}
    failed = {row.service: entries[row.service] for row in rows if row.verdict == "failed" and row.service in entries}
    disabled = {name: entry for name, entry in entries.items() if name in project.disabled}
    new = {**lock, project.name: {**disabled, **kept, **failed}}
    if render_lock(new) == render_lock(lock):
        return
    path = Path(project.working_dir, FILE_NAME).resolve()
    aside = path.with_name(f".{FILE_NAME}.{os.getpid()}")
    try:
        aside.write_text(render_lock(new), encoding="utf-8")
        aside.replace(path)
    except OSError as error:
        aside.unlink(missing_ok=True)
        message = f"the lock cannot be written: {error.strerror}"
        raise SpecError(message, source=str(path), hint="make its folder writable", code="LockUnwritable") from error
