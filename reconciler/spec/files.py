"""Reads what a spec names on disk, and says in the words of a spec why it cannot."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.errors import SpecError

_CONFINED_HINT = "such a spec reads nothing outside of its own tree: keep a copy in there"


class Files:
    """The files that one load depends on. None of them may lie outside of `confined_to` (a folder; None: anywhere)."""

    def __init__(self, confined_to: str | None = None) -> None:
        self._root = None if confined_to is None else os.path.realpath(confined_to)
        self._named: dict[str, None] = {}

    @property
    def named(self) -> tuple[str, ...]:
        """The absolute paths of all that were admitted, there or not, in the order in which they were named."""
        return tuple(self._named)

    def admit(self, path: str, *, what: str, source: str) -> None:
        """Note that the result depends on a file or folder, before anybody looks at it.

        SpecError at `source`, calling it `what`, where the path, symbolic links resolved, leaves the confinement.
        """
        self.note(path)
        if self._root is not None and not _within(self._root, path):
            raise SpecError(f"{what} lies outside of {self._root}", source=source, hint=_CONFINED_HINT)

    def note(self, path: str) -> None:
        """Note that the result depends on whether there is such a file."""
        self._named[path] = None

    def content(self, path: str, limit: int, *, what: str, source: str, hint: str | None = None) -> bytes:
        """As `read_bytes`, of a file that is admitted."""
        self.admit(path, what=what, source=source)
        return read_bytes(path, limit, what=what, source=source, hint=hint)


def _within(root: str, path: str) -> bool:
    if "\0" in path:
        return False
    return os.path.commonpath((root, os.path.realpath(path))) == root


def read_bytes(path: str, limit: int, *, what: str, source: str, hint: str | None = None) -> bytes:
    """The file's content, of which at most `limit` + 1 bytes are read; SpecError at `source` if it cannot be read.

    `what` is how the message calls the file. Only regular files are read: a pipe or device could block for ever. The
    null device is an empty file.
    """
    try:
        status = Path(path).stat()
        if _is_null_device(status):
            return b""
        if not stat.S_ISREG(status.st_mode):
            kind = "a folder" if stat.S_ISDIR(status.st_mode) else "not a regular file"
            raise SpecError(f"{what} is {kind}", source=source, hint=hint)
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise SpecError(f"{what} {reason}", source=source, hint=hint) from None
    except ValueError:
        raise SpecError(f"{what} is not a path", source=source, hint=hint) from None


def decode_text(data: bytes, file: str, hint: str) -> str:
    """The text in UTF-8; SpecError with the line of `file` where a NUL byte or anything else is none."""
    nul = data.find(b"\0")
    if nul >= 0:
        raise SpecError("the file holds a NUL byte: it is not text", source=_line(data, nul, file), hint=hint)
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        where = _line(data, error.start, file)
        raise SpecError(f"invalid UTF-8 (byte 0x{data[error.start]:02x})", source=where, hint=hint) from None


def _line(data: bytes, at: int, file: str) -> str:
    line = data.count(b"\n", 0, at) + 1
    return f"{file}:{line}"


def _is_null_device(status: os.stat_result) -> bool:
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == Path(os.devnull).stat().st_rdev


def file_mode(path: str) -> int | None:
    """The file's type and mode (st_mode), 0 where there is nothing, None where this user may not look."""
    try:
        return Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError, ValueError):
        return 0
    except OSError:
        return None


def may_be_file(path: str) -> bool:
    """Whether something is there that is no folder, or cannot be looked at: reading it says what is wrong with it."""
    mode = file_mode(path)
    return mode is None or (mode != 0 and not stat.S_ISDIR(mode))


def display_path(path: str, cwd: str) -> str:
    """The path as a user would type it: relative to the current folder where it is below it."""
    return os.path.relpath(path, cwd) if path.startswith(cwd.rstrip("/") + "/") else path
