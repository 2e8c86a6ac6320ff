"""Which projects are in force: what the sources had when they could be read last. One broken file costs one project."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from reconciler.model.project import Notice, Project
from reconciler.model.revision import Revision


@dataclass(frozen=True)
class Member:
    """A project as a source defines it; `files` make it, relative to the source's root."""

    project: Project
    source: str
    files: tuple[str, ...]


@dataclass(frozen=True)
class Trouble:
    """A project that could not be loaded: the files that make it and why; `project` is its name, if that is known."""

    files: tuple[str, ...]
    errors: tuple[Notice, ...]
    project: str = ""


@dataclass(frozen=True)
class Reading:
    """Everything that a source had at a revision; `paths` are the files and folders that it depends on."""

    source: str
    revision: Revision
    members: tuple[Member, ...]
    troubles: tuple[Trouble, ...] = ()
    notices: tuple[Notice, ...] = ()
    paths: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Change:
    """What a reading changes: projects with another definition, those that are only of another revision, and gone ones.

    `gone` have no definition any more and no file that could not be read hides one.
    """

    changed: frozenset[str]
    moved: frozenset[str] = frozenset()
    gone: frozenset[str] = frozenset()


class Fleet:
    """The members in force, by project name, and what stands in the way of newer ones. For one thread."""

    def __init__(self) -> None:
        self._members: dict[str, Member] = {}
        self._troubles: dict[str, tuple[Trouble, ...]] = {}
        self._readings: dict[str, Reading] = {}

    @property
    def members(self) -> Mapping[str, Member]:
        """By project name."""
        return self._members

    @property
    def notices(self) -> tuple[Notice, ...]:
        """What was left aside in the sources as they were read last."""
        return tuple(notice for reading in self._readings.values() for notice in reading.notices)

    @property
    def errors(self) -> tuple[Notice, ...]:
        """Everything that could not be loaded, as it was read last."""
        found = (error for troubles in self._troubles.values() for trouble in troubles for error in trouble.errors)
        return tuple(dict.fromkeys(found))

    @property
    def paths(self) -> frozenset[str]:
        """The files and folders that the readings depend on."""
        return frozenset(path for reading in tuple(self._readings.values()) for path in reading.paths)

    @property
    def unread(self) -> bool:
        """Whether there are projects that nobody could read."""
        return any(self._troubles.values())

    def revision(self, source: str) -> Revision | None:
        """What was read of a source last; None before that."""
        reading = self._readings.get(source)
        return reading.revision if reading else None

    def errors_of(self, project: str) -> tuple[Notice, ...]:
        """Why what is in force of a project is not what its source has now."""
        member = self._members.get(project)
        found = self._troubles.get(member.source, ()) if member else ()
        return tuple(error for trouble in found if _is_about(trouble, member) for error in trouble.errors)

    def take(self, reading: Reading, known: Mapping[str, tuple[str, ...]]) -> Change:
        """Put a reading in force. `known` are the projects that the source had in earlier lives, with their files."""
        taken = [item for item in reading.members if self._owner(item) not in {"", reading.source}]
        troubles = (*reading.troubles, *(_taken(item, self._owner(item)) for item in taken))
        new = {item.project.name: item for item in reading.members if item not in taken}
        before = {name: item for name, item in self._members.items() if item.source == reading.source}
        had = {**self._of_nobody_else(known), **{name: item.files for name, item in before.items()}}
        absent = {name: files for name, files in had.items() if name not in new}
        gone = frozenset(name for name, files in absent.items() if not may_hide(troubles, name, files))
        changed = frozenset(name for name, item in new.items() if not _same(before.get(name), item))
        self._readings[reading.source] = reading
        self._troubles[reading.source] = troubles
        self._members = {name: item for name, item in self._members.items() if name not in gone} | new
        moved = frozenset(name for name in new if name not in changed and _moved(before[name], new[name]))
        return Change(changed, moved, gone)

    def _of_nobody_else(self, known: Mapping[str, tuple[str, ...]]) -> dict[str, tuple[str, ...]]:
        return {name: files for name, files in known.items() if name not in self._members}

    def _owner(self, item: Member) -> str:
        owner = self._members.get(item.project.name)
        return owner.source if owner else ""


def _same(before: Member | None, after: Member) -> bool:
    """Whether two definitions ask for the same, whatever commit they are of."""
    return before is not None and replace(before.project, revision=None) == replace(after.project, revision=None)


def _moved(before: Member, after: Member) -> bool:
    return before.project.revision != after.project.revision


def _is_about(trouble: Trouble, member: Member | None) -> bool:
    return member is not None and (trouble.project == member.project.name or trouble.files == member.files)


def may_hide(troubles: tuple[Trouble, ...], project: str, files: tuple[str, ...]) -> bool:
    """Whether a file that could not be read may be the project's: its own, or any whose project is not known."""
    return any(trouble.project in {"", project} or trouble.files == files for trouble in troubles)


def _taken(item: Member, owner: str) -> Trouble:
    message = f"project {item.project.name} comes from source {owner} already"
    hint = " (give one of them another name:, or leave it out of one source)"
    error = Notice("ProjectTwice", f"{message}{hint}", item.project.source)
    return Trouble(item.files, (error,), item.project.name)
