"""What a source gives: files that stand still, at one revision."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from reconciler.model.project import Notice
from reconciler.model.revision import Revision


@dataclass(frozen=True)
class Checkout:
    """The files of a source at one revision.

    `root` is where relative and shown paths begin; of a repository it is the folder that all of it lies in. `folder`
    holds the specs. `files` are absolute paths, as `-f` takes them; () for the default places in `root`. `confined`
    says that specs may read nothing outside of `root`: they come from people who may write to a repository, not to
    this machine. `notices` are what the user should know about this revision.
    """

    root: str
    folder: str
    revision: Revision
    files: tuple[str, ...] = ()
    confined: bool = False
    notices: tuple[Notice, ...] = ()


class Source(Protocol):
    """Where specs come from."""

    @property
    def name(self) -> str:
        """Its name in the settings."""
        ...

    def kept(self) -> Checkout | None:
        """What was read last and was good, from disk alone, also by a process before this one."""
        ...

    def kept_at(self, commit: str) -> Checkout | None:
        """An earlier checkout that is still there (`keep`), None where it is not."""
        ...

    def fetch(self) -> Checkout:
        """What the source has now; the same object as before where nothing changed.

        SourceError where it cannot be read or may not be used: `kept` stays as it was.
        """
        ...

    def stop(self) -> None:
        """End what `fetch` is doing in another thread, and fetch nothing any more."""
        ...

    def keep(self, commits: frozenset[str]) -> None:
        """Remove the checkouts of other commits than these and the last good one."""
        ...
