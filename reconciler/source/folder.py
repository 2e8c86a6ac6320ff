"""A folder, or compose files, on this machine as a source: what is there is what counts."""

from __future__ import annotations

import os
from pathlib import Path

from reconciler.errors import SourceError
from reconciler.model.revision import Revision
from reconciler.model.settings import DirectorySource
from reconciler.source.checkout import Checkout
from reconciler.source.directory import COMPOSE_FILES, DEFAULT_FOLDER


class Folder:
    """What `-f` names, read where it lies. Relative paths begin at `base`; without any, its default places count."""

    def __init__(self, settings: DirectorySource, base: str) -> None:
        self._settings = settings
        self._place = settings.place or settings.name
        self._base = base
        self._files = tuple(os.path.join(base, path) for path in settings.paths)  # noqa: PTH118  as the user typed it
        self._last: Checkout | None = None

    @property
    def name(self) -> str:
        """Its name in the settings."""
        return self._settings.name

    def kept(self) -> Checkout | None:
        """What is there, None where it cannot be read."""
        try:
            return self.fetch()
        except SourceError:
            return None

    def kept_at(self, commit: str) -> Checkout | None:  # noqa: ARG002  a folder has no earlier state
        """None: only what is there now can be read."""
        return None

    def stop(self) -> None:
        """Nothing takes long."""

    def keep(self, commits: frozenset[str]) -> None:
        """Nothing is kept beside what is there."""

    def fetch(self) -> Checkout:
        """What is there; the same object as before. SourceError where a path is missing or cannot be read."""
        for path in self._files or (self._base,):
            self._look(path)
        folder = self._files[0] if len(self._files) == 1 and Path(self._files[0]).is_dir() else self._base
        made = Checkout(self._base, folder, Revision(self.name), self._files)
        if made != self._last:
            self._last = made
        return self._last

    def _look(self, path: str) -> None:
        try:
            if Path(path).is_dir():
                with os.scandir(path):
                    return
            with Path(path).open("rb"):
                return
        except PermissionError:
            message, hint = f"{path} may not be read", "let the user that this program runs as read it"
            raise SourceError(message, reason="SourceUnauthorized", source=self._place, hint=hint) from None
        except OSError as error:
            message, hint = f"{path} cannot be read: {error.strerror}", "what runs stays as it is until it is back"
            raise SourceError(message, reason="SourceUnreachable", source=self._place, hint=hint) from None


def watched_paths(settings: DirectorySource, base: str) -> tuple[str, ...]:
    """What of a source is watched (absolute), whatever its specs name besides: where none is named, default places."""
    named = settings.paths or (DEFAULT_FOLDER, *COMPOSE_FILES, ".env")
    return tuple(os.path.join(base, path) for path in named)  # noqa: PTH118  as the user typed it
