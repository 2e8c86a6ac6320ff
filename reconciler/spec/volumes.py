"""`volumes` of a service (Compose Spec, "Volumes"): `[SOURCE:]TARGET[:OPTIONS]` -> long form, and the paths in both.

Called by `canonical`. A source that begins with `.`, `/` or `~` is a path of the host; any other is a named volume.
"""

from __future__ import annotations

import posixpath
import re
from typing import Any

from reconciler.spec.nodes import MalformedError, Table, shown

_DRIVE = re.compile(r"[A-Za-z]:\\")
_LONGEST_PATH = 4096
_PROPAGATIONS = ("private", "rprivate", "shared", "rshared", "slave", "rslave")
_SHORTEST_WITH_OPTIONS = 2
_MOST_COLONS = 4  # SOURCE:TARGET:OPTIONS, both paths with a drive
_HINT = 'write "name:/path", "./folder:/path:ro" or the long form'


def parse_volume(text: str) -> dict[str, Any]:
    """The long form of one short entry, its paths not yet resolved; MalformedError with what is wrong with it."""
    if not text:
        raise MalformedError("a volume may not be empty", _HINT)
    if len(text) <= _SHORTEST_WITH_OPTIONS:
        return {"type": "volume", "target": clean(text)}
    source, target, options = _sections(text)
    if not source:
        return {"type": "volume", "target": clean(target), "volume": {}}
    mount: dict[str, Any] = {"type": "bind" if is_path(source) else "volume", "source": source, "target": clean(target)}
    kind: dict[str, Any] = {"create_host_path": True} if mount["type"] == "bind" else {}
    mount[mount["type"]] = kind
    for option in options.split(","):
        _apply(mount, option)
    return mount


def is_path(source: str) -> bool:
    """Whether a short form's source is a path of the host rather than a volume's name."""
    return source.startswith((".", "/", "~", "\\\\")) or bool(_DRIVE.match(source))


def clean(target: str) -> str:
    """A path inside the container without `.`, `..`, doubled and trailing slashes."""
    return re.sub(r"^/+", "/", posixpath.normpath(target)) if target else target


def resolve_path(path: str, folder: str, home: str) -> str:
    """The absolute path on the host: `~` is `home`, and a relative one begins at `folder`.

    MalformedError for one that is longer than any system takes.
    """
    if len(path) > _LONGEST_PATH:
        raise MalformedError(f"the path {shown(path)} is longer than {_LONGEST_PATH} characters")
    if path.startswith("~"):
        return posixpath.normpath(posixpath.join(home, path[1:].lstrip("/")))
    if path.startswith(("/", "\\\\")) or _DRIVE.match(path):
        return path
    return posixpath.normpath(posixpath.join(folder, path))


def resolve_device(volume: Table, folder: str, home: str) -> None:
    """Make the `device` of a volume that is a bind mount in disguise (driver local, `o: bind`) absolute, in place."""
    options = volume.get("driver_opts") or Table()
    if volume.get("driver") == "local" and options.get("o") == "bind" and isinstance(options.get("device"), str):
        options["device"] = resolve_path(options["device"], folder, home)


def _sections(text: str) -> tuple[str, str, str]:
    parts = _split(text) if text.count(":") <= _MOST_COLONS else text.split(":")
    if not all(parts):
        raise MalformedError(f"volume {shown(text)} has an empty section between colons", _HINT)
    if len(parts) == 1:
        return "", parts[0], ""
    source, target, *options = parts
    if len(options) > 1:
        raise MalformedError(f"volume {shown(text)} has too many colons", _HINT)
    return source, target, options[0] if options else ""


def _split(text: str) -> list[str]:
    """The sections between colons; the colon of a Windows drive (`C:`) is part of its path."""
    parts: list[str] = []
    rest = text
    while True:
        drive = rest[:2] if _DRIVE.match(rest) else ""
        part, colon, rest = rest[len(drive) :].partition(":")
        parts.append(drive + part)
        if not colon:
            return parts


def _apply(mount: dict[str, Any], option: str) -> None:
    """Set one mount option; like Compose, unknown ones (`cached`, `delegated`) mean nothing."""
    if option in ("ro", "rw"):
        mount["read_only"] = option == "ro"
    elif option in ("z", "Z"):
        mount.setdefault("bind", {})["selinux"] = option
    elif option == "nocopy":
        mount.setdefault("volume", {})["nocopy"] = True
    elif option in _PROPAGATIONS:
        mount.setdefault("bind", {})["propagation"] = option
