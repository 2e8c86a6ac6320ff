"""The sources among the settings: their names, what goes with what in them, and what the program follows."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

from reconciler.errors import SettingsError
from reconciler.model.settings import DirectorySource, GitRef, GitSource, SignedBy
from reconciler.settings.shape import DEFAULT_BRANCH, REFS, Directory, Git
from reconciler.settings.urls import transport
from reconciler.spec.nodes import Items, Mark, Table, shown, source_text

_WAYS = {
    "token_file": "https",
    "username": "https",
    "ca_file": "https",
    "ssh_key_file": "ssh",
    "known_hosts_file": "ssh",
}
_LONGEST_NAME = 63


def check_sources(document: Table) -> Iterator[tuple[Mark, SettingsError]]:
    """What is wrong between the keys of sources, each with its place; single keys are checked by their kinds."""
    names: dict[str, Mark] = {}
    for entry, mark in _entries(document):
        if "git" in entry:
            yield from _check_refs(entry)
            yield from _check_ways(entry)
            yield from _check_signed_by(entry)
        name = _name_of(entry)
        if name in names:
            message = f"the name {shown(name)} is already that of the source at {source_text(names[name])}"
            yield _error(entry.marks.get("name", mark), message, "give one of them another name:")
        names.setdefault(name, mark)


def followed(valid: list[Git | Directory], document: Table) -> tuple[GitSource | DirectorySource, ...]:
    """The sources of a valid document."""
    entries = list(_entries(document))
    return tuple(
        _git(one, _name_of(entry), source_text(mark))
        if isinstance(one, Git)
        else DirectorySource(_name_of(entry), tuple(one.directory), source_text(mark))
        for one, (entry, mark) in zip(valid, entries, strict=True)
    )


def _git(entry: Git, name: str, place: str) -> GitSource:
    ref = next((GitRef(kind, getattr(entry, kind)) for kind in REFS if getattr(entry, kind)), None)
    signed = entry.signed_by
    by = SignedBy("gpg", signed.gpg) if signed.gpg else SignedBy("ssh", signed.ssh) if signed.ssh else None
    return GitSource(
        name=name,
        url=entry.git,
        ref=ref or GitRef("branch", DEFAULT_BRANCH),
        subdir=entry.subdir,
        interval=entry.interval,
        timeout=entry.timeout,
        max_bytes=entry.max_size,
        token_file=entry.token_file,
        username=entry.username,
        ssh_key_file=entry.ssh_key_file,
        known_hosts_file=entry.known_hosts_file,
        ca_file=entry.ca_file,
        signed_by=by,
        variables=dict(entry.variables),
        place=place,
    )


def _entries(document: Table) -> Iterator[tuple[Table, Mark]]:
    sources = document.get("sources")
    if isinstance(sources, Items):
        yield from ((entry, mark) for entry, mark in sources.marked() if isinstance(entry, Table))


def _name_of(entry: Mapping[str, Any]) -> str:
    """The name that is given, else the last part of the address or path."""
    if given := entry.get("name"):
        return str(given)
    where = entry.get("git") or entry.get("directory") or ""
    first = where[0] if isinstance(where, list) and where else where
    last = re.split(r"[/:]", str(first).rstrip("/"))[-1].removesuffix(".git")
    return re.sub(r"[^A-Za-z0-9_.-]+", "-", last).strip("-._")[:_LONGEST_NAME] or "source"


def _check_refs(entry: Table) -> Iterator[tuple[Mark, SettingsError]]:
    said = [kind for kind in REFS if kind in entry]
    for kind in said[1:]:
        yield _error(entry.mark(kind), f"{kind} stands beside {said[0]}: one ref is followed", "remove one of the two")


def _check_ways(entry: Table) -> Iterator[tuple[Mark, SettingsError]]:
    try:
        way = transport(str(entry["git"]))
    except ValueError:  # its own check says so
        return
    for key, meant in _WAYS.items():
        if key in entry and meant != way:
            yield _error(entry.mark(key), f"{key} is for {meant}, and the repository is reached by {way}", "remove it")


def _check_signed_by(entry: Table) -> Iterator[tuple[Mark, SettingsError]]:
    signed = entry.get("signed_by")
    if isinstance(signed, Table) and len(signed.keys() & {"gpg", "ssh"}) != 1:
        yield _error(entry.mark("signed_by"), "signed_by takes one of gpg and ssh", "name the file with the keys")


def _error(mark: Mark, message: str, hint: str) -> tuple[Mark, SettingsError]:
    return mark, SettingsError(message, source=source_text(mark), hint=hint)
