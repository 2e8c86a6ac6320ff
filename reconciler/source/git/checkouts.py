"""The checkouts of a source on disk: each complete or not there at all, and which of them was good last.

`checkouts/<commit>/` are the files, `checkouts/<commit>.json` what is known of them, `current` a copy of the latter for
the one in force. All are put in place by a rename. Only these files are read at a start: no git, no forge.
"""

from __future__ import annotations

import json
import os
import shutil
import stat
import tempfile
import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from reconciler.logs import get_logger
from reconciler.model.project import Notice
from reconciler.model.revision import Revision
from reconciler.source.git.refs import OBJECT

FILES = "files"
_TEMPORARY, _REMOVED = ".new-", ".old-"


@dataclass(frozen=True)
class Record:
    """What is known of a checkout: `object` is what the ref led to, `basis` a digest of the settings it was made by."""

    revision: Revision
    object: str
    basis: str
    notices: tuple[Notice, ...] = ()


class Checkouts:
    """The checkouts below `folder`. Safe to use from several threads."""

    def __init__(self, folder: Path, source: str) -> None:
        self._folder = folder / "checkouts"
        self._current = folder / "current"
        self._source = source
        self._placing = threading.Lock()

    def path(self, commit: str) -> Path:
        """The folder of a checkout, there or not."""
        return self._folder / commit

    def current(self) -> Record | None:
        """What was good last, None where nothing was yet or its files are gone."""
        return self._read(self._current)

    def at(self, commit: str) -> Record | None:
        """What is known of that commit's checkout, None where it is not there."""
        return self._read(self._folder / f"{commit}.json") if OBJECT.fullmatch(commit) else None

    def new(self) -> Path:
        """A new folder with an empty `files/` to check out into, for `place`. What was left half done is removed."""
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for left in self._folder.glob(f"{_TEMPORARY}*"):
            shutil.rmtree(left)
        made = Path(tempfile.mkdtemp(prefix=_TEMPORARY, dir=self._folder))
        (made / FILES).mkdir()
        return made

    def place(self, made: Path, record: Record) -> None:
        """Put what is in `made` in force: sealed (read-only, on the disk), named, and written down as what is good."""
        _seal(made / FILES)
        with self._placing:
            if not self.path(record.revision.commit).exists():
                (made / FILES).rename(self.path(record.revision.commit))
            self._write(record)
        shutil.rmtree(made)

    def resume(self, record: Record) -> bool:
        """Put a checkout that is still there in force again; whether it was there."""
        with self._placing:
            there = self.path(record.revision.commit).is_dir()
            if there:
                self._write(record)
        return there

    def keep(self, commits: frozenset[str]) -> None:
        """Remove the checkouts of other commits than these and the one in force."""
        with self._placing:
            current = self.current()
            kept = commits | ({current.revision.commit} if current else set())
            gone = [path for path in self._folder.glob("[0-9a-f]*") if path.stem not in kept]
            removed = [*self._folder.glob(f"{_REMOVED}*"), *map(_set_aside, gone)]
        for folder in removed:
            shutil.rmtree(folder)

    def _write(self, record: Record) -> None:
        _replace(self._folder / f"{record.revision.commit}.json", record)
        _replace(self._current, record)

    def _read(self, path: Path) -> Record | None:
        try:
            record = _record(json.loads(path.read_bytes()))
        except FileNotFoundError:
            return None
        except (OSError, ValueError, TypeError, KeyError) as error:
            log = get_logger(source=self._source)
            log.warning("a checkout's record cannot be read", path=str(path), error=str(error))
            return None
        return record if self.path(record.revision.commit).is_dir() else None


def _seal(folder: Path) -> None:
    """Make all files read-only and let the disk have them: a rename after this shows all of them or none."""
    for path, mode in _walk(folder):
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        try:
            if stat.S_ISREG(mode):
                os.fchmod(descriptor, 0o555 if mode & stat.S_IXUSR else 0o444)
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _walk(folder: Path) -> Iterator[tuple[str, int]]:
    """The folder, its folders and its regular files, and their modes; symbolic links are not followed."""
    yield str(folder), stat.S_IFDIR
    with os.scandir(folder) as found:
        for entry in found:
            if entry.is_dir(follow_symlinks=False):
                yield from _walk(Path(entry.path))
            elif entry.is_file(follow_symlinks=False):
                yield entry.path, entry.stat(follow_symlinks=False).st_mode


def _set_aside(path: Path) -> Path:
    """The folder that the path now lies in, to be removed."""
    folder = Path(tempfile.mkdtemp(prefix=_REMOVED, dir=path.parent))
    path.rename(folder / path.name)
    return folder


def _replace(path: Path, record: Record) -> None:
    descriptor, name = tempfile.mkstemp(prefix=f".{path.name}-", dir=path.parent)
    with os.fdopen(descriptor, "w") as file:
        json.dump(asdict(record), file)
        file.flush()
        os.fsync(file.fileno())
    Path(name).rename(path)
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def _record(document: dict[str, Any]) -> Record:
    """The record that `_replace` wrote. KeyError, TypeError or ValueError where it is none."""
    revision = Revision(**document["revision"])
    if not OBJECT.fullmatch(revision.commit):
        raise ValueError("it names no commit")
    notices = tuple(Notice(**notice) for notice in document["notices"])
    return Record(revision, str(document["object"]), str(document["basis"]), notices)
