"""Read a checkout into projects: each with its source's revision, or why it cannot be loaded."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from functools import cache

from reconciler.admission import policy_notices
from reconciler.errors import PolicyError, ReconcilerError, SpecError, SpecErrors, UsageError
from reconciler.loading import Entry, Selection, documents, error_notice, flat, project_of
from reconciler.model.origin import Origin
from reconciler.model.project import Notice, Project
from reconciler.service.fleet import Member, Reading, Trouble, may_hide
from reconciler.source.checkout import Checkout, Source

Complete = Callable[[Project, Checkout], Project]


class Reader:
    """Reads what one source has. `origins` gives where projects came from when they came up last, by their names.

    `note_left` takes a project's name, this source's, and whether it has the project no more. `base`, `environment` and
    `complete` are those of `read`.
    """

    def __init__(
        self,
        source: Source,
        base: Selection,
        environment: Mapping[str, str],
        complete: Complete,
        origins: Callable[[], Mapping[str, Origin]],
        note_left: Callable[[str, str, bool], None],
    ) -> None:
        self._source = source
        self._base = base
        self._environment = environment
        self._complete = complete
        self._origins = origins
        self._note_left = note_left

    def read(self, checkout: Checkout) -> Reading:
        """What the checkout has, and of each project that cannot be loaded what it came up with last.

        Projects that it has no more are noted as left. Checkouts that no project came up with, but such that left, are
        removed. Errors as `read`.
        """
        try:
            reading = read(checkout, self._base, self._environment, self._complete)
            self._note(reading)
        finally:
            self._source.keep(frozenset(origin.commit for origin in self._here().values()))
        return self._with_earlier(reading)

    def instead(self, checkout: Checkout, error: ReconcilerError) -> Reading | None:
        """What the source's projects came up with last, where its checkout as a whole holds no spec (`error`).

        None where no project came from this source, or all have left it.
        """
        why = Notice(error.code, f"source {self._source.name}: {error.message}", error.source or "")
        troubles = tuple(Trouble((), (why,), name) for name in self._here())
        empty = Reading(self._source.name, checkout.revision, (), troubles)
        return self._with_earlier(empty) if troubles else None

    def _here(self) -> dict[str, Origin]:
        """The origins of the projects that came from this source and have not left it."""
        own = {name: item for name, item in self._origins().items() if item.source == self._source.name}
        return {name: item for name, item in own.items() if not item.left}

    def _note(self, reading: Reading) -> None:
        """Note which projects left and which are back; of those that a file may hide that cannot be read, nothing."""
        origins, names = self._origins(), {member.project.name for member in reading.members}
        others = {name for name, origin in origins.items() if origin.source != self._source.name and not origin.left}
        refused = (
            Trouble(item.files, (), item.project.name) for item in reading.members if item.project.name in others
        )
        troubles = (*reading.troubles, *refused)
        for name in origins.keys() - others:
            if name in names or not may_hide(troubles, name, origins[name].files):
                self._note_left(name, self._source.name, name not in names)

    def _with_earlier(self, reading: Reading) -> Reading:
        origins, at = self._here(), cache(self._at)

        def earlier(trouble: Trouble) -> Member | None:
            same = (name for name, origin in origins.items() if origin.files == trouble.files)
            name = trouble.project if trouble.project in origins else next(same, "")
            members = at(origins[name].commit) if name else ()
            return next((member for member in members if member.project.name == name), None)

        return with_earlier(reading, earlier)

    def _at(self, commit: str) -> tuple[Member, ...]:
        """What the source had at an earlier commit; nothing where its checkout is gone, or holds no spec by now."""
        kept = self._source.kept_at(commit)
        try:
            return read(kept, self._base, self._environment, self._complete).members if kept else ()
        except SpecError:  # the settings look elsewhere by now
            return ()


def read(checkout: Checkout, base: Selection, environment: Mapping[str, str], complete: Complete) -> Reading:
    """Everything that the checkout has. `complete` makes of a loaded project what is to run of it.

    Where that ends with a SpecError or PolicyError the project is a trouble: what was in force of it stays.

    `base` are the options that hold for all of them. SpecError where the checkout as a whole holds no spec: that is no
    empty source.
    """
    selection = _selection(checkout, base)
    entries, notices = _documents(checkout, selection, environment)
    members: list[Member] = []
    troubles: list[Trouble] = []
    for entry in entries:
        files = tuple(os.path.relpath(path, checkout.root) for path in entry.files)
        try:
            members += [Member(_project(entry, selection, checkout, complete), checkout.revision.source, files)]
        except (SpecError, PolicyError) as error:
            name = entry.loaded.name if entry.loaded else ""
            troubles.append(Trouble(files, _notices(error), name))
    found = (*checkout.notices, *notices, *(notice for member in members for notice in member.project.notices))
    paths = () if checkout.confined else (path for entry in entries for path in _paths(entry, members))
    return Reading(
        checkout.revision.source,
        checkout.revision,
        tuple(members),
        tuple(troubles),
        tuple(dict.fromkeys(found)),
        frozenset(paths),
    )


def with_earlier(reading: Reading, earlier: Callable[[Trouble], Member | None]) -> Reading:
    """The reading, and for each project that cannot be loaded the last definition of it that could be (`earlier`)."""
    known = {member.project.name for member in reading.members}
    found = (earlier(trouble) for trouble in reading.troubles)
    members = {item.project.name: item for item in found if item and item.project.name not in known}
    return replace(reading, members=(*reading.members, *members.values()))


def _documents(
    checkout: Checkout, selection: Selection, environment: Mapping[str, str]
) -> tuple[list[Entry], list[Notice]]:
    try:
        return documents(selection, environment)
    except (SpecError, UsageError) as error:
        raise _without_spec(checkout, error) from error


def _without_spec(checkout: Checkout, error: SpecError | UsageError) -> SpecError:
    """The error in the words of the source: who reads it in status has not chosen these paths on a command line."""
    message, commit = error.message.replace(f" in {checkout.root}", ""), checkout.revision.short
    hint = "what runs stays as it is until there is one"
    return SpecError(f"commit {commit}: {message}" if commit else message, source=error.source, hint=hint)


def _paths(entry: Entry, members: list[Member]) -> Iterator[str]:
    """What a project of a folder depends on: its specs, what they name, mounted files, what its builds read."""
    yield from entry.files
    if entry.loaded is None:
        return
    yield from entry.loaded.read
    for member in members:
        if member.project.files == entry.loaded.files:
            for service in member.project.services:
                yield from (content.path for content in service.contents if content.path)
                yield from [service.image.build.context] if service.image.build else ()


def _selection(checkout: Checkout, base: Selection) -> Selection:
    """In a repository paths are relative to its root, and nothing outside of it is read."""
    confined_to = checkout.root if checkout.confined else None
    return replace(base, base=checkout.root, files=checkout.files, confined_to=confined_to)


def _project(entry: Entry, selection: Selection, checkout: Checkout, complete: Complete) -> Project:
    if entry.loaded is None:
        raise _several(entry)
    project = project_of(entry.loaded, selection)
    return complete(replace(project, revision=checkout.revision, from_git=checkout.confined), checkout)


def _notices(error: SpecError | PolicyError) -> tuple[Notice, ...]:
    if isinstance(error, PolicyError):
        return policy_notices(error)
    return tuple(error_notice(item) for item in flat([error]))


def _several(entry: Entry) -> SpecError:
    return entry.errors[0] if len(entry.errors) == 1 else SpecErrors(list(entry.errors))
