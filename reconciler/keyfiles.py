"""Files that hold a key of ours: the one that keys hashes, and the identities that decrypt secrets."""

from __future__ import annotations

import stat
from pathlib import Path

from reconciler.errors import SettingsError
from reconciler.model.project import Notice

HASH_KEY = "RECONCILER_HASH_KEY_FILE"
LARGEST = 64 * 1024
SHORTEST_HASH_KEY = 16


def hash_key(path: str, place: str = "") -> tuple[str, tuple[Notice, ...]]:
    """The key that a file holds, blanks around it aside, in hex, and a warning where others can read the file.

    `place` is where the settings say so. SettingsError where it cannot be read or is shorter than 16 bytes.
    """
    data, notices = read_key_file(path, "hash_key_file", place)
    key = data.strip()
    if len(key) < SHORTEST_HASH_KEY:
        message = f"hash_key_file: {path} holds {len(key)} bytes, and a key has {SHORTEST_HASH_KEY} at least"
        raise SettingsError(message, source=place or None, hint=f"openssl rand -hex 32 > {path}")
    return key.hex(), notices


def read_key_file(path: str, setting: str, place: str = "") -> tuple[bytes, tuple[Notice, ...]]:
    """What a file of keys holds, and a warning where others than its owner can read it.

    SettingsError, which names nothing of its content, where it is no regular file, too large, or cannot be read.
    """
    try:
        mode = Path(path).stat().st_mode
        if not stat.S_ISREG(mode):
            raise SettingsError(f"{setting}: {path} is no regular file", source=place or None)
        with Path(path).open("rb") as file:
            data = file.read(LARGEST + 1)
    except OSError as error:
        message = f"{setting}: {path} cannot be read: {error.strerror}"
        raise SettingsError(message, source=place or None, hint="create it, or correct the path") from None
    if len(data) > LARGEST:
        raise SettingsError(f"{setting}: {path} is larger than {LARGEST // 1024} kB", source=place or None)
    return data, (_exposed(path, setting),) if mode & (stat.S_IRGRP | stat.S_IROTH) else ()


def _exposed(path: str, setting: str) -> Notice:
    return Notice("KeyFileExposed", f"{setting}: others than its owner can read {path}: chmod 600 it", path)
