"""What a commit holds, looked at before any of it is written: how much it is, and whether its names do no harm."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import SourceError
from reconciler.model.project import Notice
from reconciler.model.settings import GitSource
from reconciler.source.git.failures import too_large

MOST_ENTRIES = 100_000  # files and folders
_SUBMODULE = b"160000"
_FORBIDDEN = frozenset({b"", b".", b"..", b".git"})


@dataclass(frozen=True)
class Entry:
    """A file, symbolic link or submodule of a commit: its path in it, its size in bytes (a submodule: 0)."""

    path: bytes
    size: int
    submodule: bool


def entries(listing: bytes) -> Iterator[Entry]:
    """What `ls-tree -r -z -l` printed."""
    for line in listing.split(b"\0"):
        if line:
            about, _, path = line.partition(b"\t")
            mode, _, _, size = about.split()
            yield Entry(path, 0 if size == b"-" else int(size), mode == _SUBMODULE)


def inspected(listing: bytes, settings: GitSource, place: str) -> tuple[Entry, ...]:
    """The entries. SourceError where they are too many or too large to check out, or a path does not stay inside."""
    found: list[Entry] = []
    seen: set[bytes] = set()
    total = 0
    for entry in entries(listing):
        found.append(entry)
        total += entry.size
        _note(entry.path, seen, place)
        if total > settings.max_bytes or len(seen) > MOST_ENTRIES:
            raise too_large(settings, place) if total > settings.max_bytes else _too_many(place)
    return tuple(found)


def notices(found: tuple[Entry, ...], place: str) -> tuple[Notice, ...]:
    """What will be missing from the checkout although the commit names it."""
    names = [entry.path.decode("utf-8", "replace") for entry in found if entry.submodule]
    if not names and not any(entry.path == b".gitmodules" for entry in found):
        return ()
    shown = ", ".join(map(repr, names[:5])) or "none is in this commit"
    message = f"submodules are not fetched, and their folders stay empty: {shown}{', ...' if len(names) > 5 else ''}"  # noqa: PLR2004
    return (Notice("SubmodulesIgnored", message, place),)


def _note(path: bytes, seen: set[bytes], place: str) -> None:
    """Add the path and its folders to those seen."""
    parts = path.split(b"/")
    if any(part.lower() in _FORBIDDEN for part in parts):
        message = f"the commit has a file that would lie where none may: {path.decode('utf-8', 'replace')!r}"
        raise SourceError(message, reason="SourceInvalid", source=place, hint="remove it from the repository")
    while path and path not in seen:
        seen.add(path)
        path = path.rpartition(b"/")[0]


def _too_many(place: str) -> SourceError:
    message = f"the commit has more than {MOST_ENTRIES} files and folders"
    return SourceError(message, reason="SourceTooLarge", source=place, hint="keep specs in a repository of their own")
