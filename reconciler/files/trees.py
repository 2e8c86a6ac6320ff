"""Files and folders of a repository, named by what they contain.

A tree's digest is over what containers can tell apart: names, kinds, the executable bit, links, contents. Times, owners
and the other bits of a mode are none of it, so that two checkouts of the same files are the same tree.
"""

from __future__ import annotations

import hashlib
import hmac
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from reconciler.errors import SpecError

MAX_BYTES = 64 * 1024 * 1024
MAX_ENTRIES = 10_000
GIT_FOLDER = ".git"
_CHUNK = 1024 * 1024
_EXECUTABLE = 0o111


@dataclass(frozen=True)
class Tree:
    """One file or folder that is mounted: `path` is where it lies in the checkout, `source` the `file:line` of it."""

    project: str
    digest: str
    path: str
    source: str = ""


@dataclass(frozen=True)
class Entry:
    """Something in a tree: its path below the tree ("": the tree itself), and its status (not that of a link's end)."""

    name: str
    path: str
    status: os.stat_result

    @property
    def kind(self) -> str:
        """`folder`, `file`, `program` (a file that may be executed), `link`, or "" for what cannot be kept."""
        mode = self.status.st_mode
        if stat.S_ISREG(mode):
            return "program" if mode & _EXECUTABLE else "file"
        return "folder" if stat.S_ISDIR(mode) else "link" if stat.S_ISLNK(mode) else ""


def tree_digest(path: str, key: str) -> str:
    """HMAC-SHA256, 64 hex digits, over the tree; OSError where it cannot be read.

    Keyed, because what is mounted may be secret and its digest stands in the container's settings.
    """
    found = hmac.new(key.encode(), digestmod=hashlib.sha256)
    for entry in entries(path):
        for part in (entry.kind.encode(), os.fsencode(entry.name), _content(entry)):
            found.update(len(part).to_bytes(8) + part)
    return found.hexdigest()


def entries(path: str, name: str = "") -> Iterator[Entry]:
    """Everything in the tree, each folder before what is in it, in the order of the names' bytes."""
    entry = Entry(name, path, os.lstat(path))
    yield entry
    if entry.kind == "folder":
        for child in sorted(os.listdir(path), key=os.fsencode):  # noqa: PTH208 - names are wanted, not paths
            yield from entries(f"{path}/{child}", f"{name}/{child}" if name else child)


def check(path: str, root: str, what: str, source: str) -> None:
    """SpecError at `source`, calling the tree `what`, where it holds too much, or what no container should be given.

    Links are kept as they are written, for nobody follows them here; one that leads out of `root` is refused.
    """
    size = 0
    for count, entry in enumerate(entries(path), 1):
        size += entry.status.st_size if entry.kind in {"file", "program"} else 0
        reason = _reason(entry, root)
        if reason:
            raise SpecError(f"{what}: {entry.name or 'it'} {reason}", source=source)
        if size > MAX_BYTES or count > MAX_ENTRIES:
            limit = f"{MAX_BYTES // _CHUNK} MB or {MAX_ENTRIES} files"
            hint = "build it into an image, or keep it in a volume"
            raise SpecError(f"{what} is larger than {limit}", source=source, hint=hint)


def _reason(entry: Entry, root: str) -> str:
    """Why an entry is refused, "" where it is not."""
    if Path(entry.path).name == GIT_FOLDER:
        return "belongs to Git, not to a container"
    if not entry.kind:
        return "is neither a file nor a folder nor a link"
    if entry.kind == "link" and not _stays(entry, root):
        return "is a link that leaves the repository"
    return ""


def _stays(entry: Entry, root: str) -> bool:
    link = Path(entry.path)
    return is_within(os.path.normpath(link.parent / link.readlink()), root) and not link.readlink().is_absolute()


def is_within(path: str, folder: str) -> bool:
    """Whether the path is the folder or below it, as both are written."""
    return path == folder or path.startswith(f"{folder.rstrip('/')}/")


def _content(entry: Entry) -> bytes:
    if entry.kind == "link":
        return os.fsencode(Path(entry.path).readlink())
    if entry.kind not in {"file", "program"}:
        return b""
    with open(entry.path, "rb") as file:  # noqa: PTH123
        return hashlib.file_digest(file, "sha256").digest()
