"""What can be seen of some paths: all that decides what reading them gives, and the folders where a change of it shows.

Each component of a path counts, since it may be a symbolic link that is swapped, or a folder that is made again. Below
a folder everything counts, `.git` aside. Symbolic links are followed.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

MOST = 50_000  # entries that are looked at
_IGNORED = ".git"

Signature = tuple[int | str, ...]


@dataclass(frozen=True)
class Survey:
    """`seen` is what each path is now, () where nothing is. `folders` are real paths and the names that count in them.

    None stands for all names. `complete` is false where there is more than can be looked at.
    """

    seen: Mapping[str, Signature]
    folders: Mapping[str, frozenset[str] | None]
    complete: bool = True

    def concerns(self, path: str) -> bool:
        """Whether what happened to this (real) path may matter."""
        folder, name = os.path.split(path)
        names = self.folders.get(folder, frozenset())
        return path in self.folders or (name != _IGNORED if names is None else name in names)

    def since(self, before: Survey) -> frozenset[str]:
        """The paths that have changed, come or gone."""
        return frozenset(path for path, _ in self.seen.items() ^ before.seen.items())


NOTHING = Survey({}, {})


def survey(paths: Iterable[str]) -> Survey:
    """What can be seen of these paths (absolute), and of all that is below them."""
    look = _Look()
    look.todo += [(path, True) for path in paths]
    while look.todo and len(look.seen) < MOST:
        look.take(*look.todo.pop())
    names = {folder: None if found is None else frozenset(found) for folder, found in look.folders.items()}
    return Survey(look.seen, names, not look.todo)


@dataclass
class _Look:
    """A survey that is still being made; `todo` are paths, and whether what is below them counts."""

    seen: dict[str, Signature] = field(default_factory=dict)
    folders: dict[str, set[str] | None] = field(default_factory=dict)
    todo: list[tuple[str, bool]] = field(default_factory=list)
    taken: set[tuple[str, bool]] = field(default_factory=set)
    listed: set[str] = field(default_factory=set)

    def take(self, path: str, below: bool) -> None:  # noqa: FBT001 - a pair of `todo`
        """Look at a path: its components, itself, and what is below it."""
        above = os.path.dirname(path)  # noqa: PTH120 - paths are text here: they are keys, and many
        if above not in self.seen and above != path:
            self.todo += [(path, below), (above, False)]
            self.seen.setdefault(above, ())
            return
        if (path, below) in self.taken:
            return
        self.taken.add((path, below))
        real = os.path.realpath(above)
        self.note(real, os.path.basename(path))  # noqa: PTH119
        self.seen[path] = _signature(path)
        self.follow(path, real, below=below)

    def note(self, folder: str, name: str) -> None:
        """A change of this name in this folder matters, if the folder can be watched."""
        if not _watchable(folder):
            return
        names = self.folders.setdefault(folder, set())
        if names is not None and name:
            names.add(name)

    def follow(self, path: str, above: str, *, below: bool) -> None:
        """Go on to where a symbolic link leads, and to what is in a folder."""
        kind = self.seen[path][:1]
        if kind == (stat.S_IFLNK,):
            target = os.path.normpath(os.path.join(above, str(self.seen[path][1])))  # noqa: PTH118
            self.todo.append((target, below))
        elif kind == (stat.S_IFDIR,) and below:
            self.listing(path)

    def listing(self, path: str) -> None:
        """Go on to all that is in a folder; one that may not be read has nothing, and reading it says why."""
        real = os.path.realpath(path)
        if real in self.listed:
            return
        self.listed.add(real)
        if _watchable(real):
            self.folders[real] = None
        try:
            names = os.listdir(real)  # noqa: PTH208
        except OSError:
            return
        self.todo += [(os.path.join(path, name), True) for name in names if name != _IGNORED]  # noqa: PTH118


def _watchable(folder: str) -> bool:
    return os.path.isdir(folder) and os.access(folder, os.R_OK)  # noqa: PTH112


def _signature(path: str) -> Signature:
    """What a path is, by itself: its kind, and what changes when it is written anew."""
    try:
        found = os.lstat(path)
        if stat.S_ISLNK(found.st_mode):
            return stat.S_IFLNK, os.readlink(path)  # noqa: PTH115
    except OSError:
        return ()
    if stat.S_ISDIR(found.st_mode):
        return stat.S_IFDIR, found.st_mode, found.st_dev, found.st_ino
    return stat.S_IFREG, found.st_mode, found.st_dev, found.st_ino, found.st_size, found.st_mtime_ns
