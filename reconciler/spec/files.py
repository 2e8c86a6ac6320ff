"""Reads what a spec names on disk, and says in the words of a spec why it cannot."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from reconciler.errors import SpecError


def read_bytes(path: str, limit: int, *, what: str, source: str, hint: str | None = None) -> bytes:
    """The file's content, of which at most `limit` + 1 bytes are read; SpecError at `source` if it cannot be read.

    `what` is how the message calls the file. Only regular files are read: a pipe or device could block for ever.
    """
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            kind = "a folder" if stat.S_ISDIR(mode) else "not a regular file"
            raise SpecError(f"{what} is {kind}", source=source, hint=hint)
        with Path(path).open("rb") as file:
            return file.read(limit + 1)
    except OSError as error:
        reason = "does not exist" if isinstance(error, FileNotFoundError) else f"cannot be read: {error.strerror}"
        raise SpecError(f"{what} {reason}", source=source, hint=hint) from None
    except ValueError:
        raise SpecError(f"{what} is not a path", source=source, hint=hint) from None


def file_mode(path: str) -> int | None:
    """The file's type and mode (st_mode), 0 where there is nothing, None where this user may not look."""
    try:
        return Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return 0
    except OSError:
        return None


def may_be_file(path: str) -> bool:
    """Whether it is a regular file, or may be one that cannot be looked at: reading it says why."""
    mode = file_mode(path)
    return mode is None or stat.S_ISREG(mode)


def display_path(path: str, cwd: str) -> str:
    """The path as a user would type it: relative to the current folder where it is below it."""
    return os.path.relpath(path, cwd) if path.startswith(cwd.rstrip("/") + "/") else path
