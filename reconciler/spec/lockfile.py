"""`reconcile.lock`: which digest each service of the projects in a folder runs. Read and written as YAML, sorted.

One file for a folder: the projects whose working directory it is stand in it by name. It is written by `reconcile
images lock`, to be committed.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from reconciler.errors import SpecError
from reconciler.model.project import Notice, Pin, Project, Service
from reconciler.model.references import parse_reference
from reconciler.spec.files import Files, display_path
from reconciler.spec.nodes import Mark, Table, kind_of, shown, source_text
from reconciler.spec.yaml_nodes import MAX_BYTES, read_documents

FILE_NAME = "reconcile.lock"
_VERSION = 1
_TOP_KEYS = ("version", "projects")
_KEYS = ("reference", "resolved", "digest", "at", "policy")
_OPTIONAL = {"resolved"}
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HEAD = """\
# Which image each service runs. Written by `reconcile images lock`: commit it, and move what it says with
# `reconcile images lock --update [SERVICE]`.
"""
_HINT = "correct it, or delete it and run reconcile images lock"


@dataclass(frozen=True)
class Entry:
    """What the lock says of one service: the reference as the spec had it then, and the pin."""

    reference: str
    pin: Pin


Entries = Mapping[str, Entry]
Lock = Mapping[str, Entries]


def read_lock(folder: str, cwd: str, confined_to: str | None = None) -> Lock:
    """The entries by project and service, {} where the folder has no lock.

    SpecError where it cannot be read, or lies outside of `confined_to`, symbolic links resolved.
    """
    path = Path(folder, FILE_NAME)
    if not path.exists() and not path.is_symlink():
        return {}
    name = display_path(str(path), cwd)
    documents = read_documents(Files(confined_to).content(str(path), MAX_BYTES, what="the lock", source=name), name)
    if not documents:
        raise SpecError("the lock is empty", source=name, hint=_HINT, code="LockInvalid")
    if len(documents) > 1:
        message = "the lock is more than one document"
        raise SpecError(message, source=f"{name}:{documents[1].line}", hint=_HINT, code="LockInvalid")
    top = _table(documents[0].value, (name, documents[0].line), "the lock")
    unknown = next((key for key in top if key not in _TOP_KEYS), None)
    if unknown is not None:
        raise _invalid(f"the lock has a key {shown(unknown)}, which means nothing", top, unknown, name)
    if top.get("version") != _VERSION:
        has = f"version {shown(str(top['version']))}" if "version" in top else "no version"
        raise _invalid(f"the lock has {has}, and this program writes version {_VERSION}", top, "version", name)
    projects = _table(top.get("projects", Table()), top.mark("projects"), "projects")
    return {key: _entries(_table(found, projects.mark(key), key), name) for key, found in projects.items()}


def render_lock(lock: Lock) -> str:
    """The lock as text: the same entries give the same bytes."""
    import yaml

    from reconciler.spec.render import ComposeDumper

    projects = {
        project: {name: _row(entry) for name, entry in sorted(entries.items())}
        for project, entries in sorted(lock.items())
        if entries
    }
    document = {"version": _VERSION, "projects": projects}
    return _HEAD + yaml.dump(document, Dumper=ComposeDumper, sort_keys=False, allow_unicode=True, width=10_000)


def with_pins(project: Project, lock: Lock) -> Project:
    """The project with the pins of its services; one that does not fit any more is told and does not hold."""
    entries = lock.get(project.name)
    if entries is None:
        return project
    services = tuple(_with_pin(service, entries) for service in project.services)
    stale = tuple(_stale(service, entries) for service in project.services if is_stale(service, entries))
    return replace(project, services=services, notices=(*project.notices, *stale))


def can_be_pinned(service: Service) -> bool:
    """Whether there is a tag to pin: no digest in the spec itself, and a registry that may be asked for it."""
    return service.image.may_be_asked_for and parse_reference(service.image.reference).digest is None


def is_pinned(service: Service) -> bool:
    """Whether the lock says what the service runs."""
    return service.image.pin is not None


def is_stale(service: Service, entries: Entries) -> bool:
    """Whether the lock says nothing of a service, or of another reference than the spec has now."""
    entry = entries.get(service.name)
    return can_be_pinned(service) and (entry is None or entry.reference != service.image.reference)


def _with_pin(service: Service, entries: Entries) -> Service:
    if not can_be_pinned(service) or is_stale(service, entries):
        return service
    return replace(service, image=replace(service.image, pin=entries[service.name].pin))


def _stale(service: Service, entries: Entries) -> Notice:
    entry, written = entries.get(service.name), service.image.reference
    says = f"pins {entry.reference}, and the spec says {written}" if entry else "does not pin it"
    todo = f"run reconcile images lock --update {service.name}" if entry else "run reconcile images lock"
    return Notice("LockStale", f"{service.name}: {FILE_NAME} {says}: {todo}", service.source("image"))


def _row(entry: Entry) -> dict[str, str]:
    pin = entry.pin
    resolved = {"resolved": pin.reference} if pin.reference != entry.reference else {}
    at = f"{datetime.fromtimestamp(pin.at, UTC):%Y-%m-%dT%H:%M:%SZ}"
    return {"reference": entry.reference, **resolved, "digest": pin.digest, "at": at, "policy": pin.policy}


def _entries(found: Table, file: str) -> dict[str, Entry]:
    marked = ((name, _table(row, found.mark(name), name), source_text(found.mark(name))) for name, row in found.items())
    return {name: _entry(row, file, source) for name, row, source in marked}


def _entry(row: Table, file: str, source: str) -> Entry:
    unknown = next((key for key in row if key not in _KEYS), None)
    if unknown is not None:
        raise _invalid(f"the lock's entry has a key {shown(unknown)}, which means nothing", row, unknown, file)
    missing = next((key for key in _KEYS if key not in row and key not in _OPTIONAL), None)
    if missing:
        raise SpecError(f"the lock's entry has no {missing}", source=source, hint=_HINT, code="LockInvalid")
    for key, value in row.items():
        if not isinstance(value, str):
            raise _invalid(f"the lock's {key} has to be a string, and is {kind_of(value)}", row, key, file)
    if not _DIGEST.fullmatch(row["digest"]):
        raise _invalid(f"the lock says {shown(row['digest'])}, which is no digest", row, "digest", file)
    reference, resolved = row["reference"], row.get("resolved", row["reference"])
    if parse_reference(resolved).repository != parse_reference(reference).repository:
        raise _invalid(f"the lock resolves {shown(reference)} to another repository", row, "resolved", file)
    return Entry(reference, Pin(resolved, row["digest"], _moment(row, file), row["policy"], source))


def _moment(row: Table, file: str) -> float:
    """Seconds since the epoch; a time without a zone is UTC, so that it is the same everywhere."""
    try:
        found = datetime.fromisoformat(row["at"])
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).timestamp()
    except ValueError as error:
        raise _invalid(f"the lock says {shown(row['at'])}, which is no time", row, "at", file) from error


def _table(value: Any, mark: Mark, what: str) -> Table:
    if isinstance(value, Table):
        return value
    message = f"{what} has to be a mapping, and is {kind_of(value)}"
    raise SpecError(message, source=source_text(mark), hint=_HINT, code="LockInvalid")


def _invalid(message: str, table: Table, key: str, file: str) -> SpecError:
    return SpecError(message, source=source_text(table.mark(key)) or file, hint=_HINT, code="LockInvalid")
