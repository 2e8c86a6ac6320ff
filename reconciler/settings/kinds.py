"""How single settings are written: each kind reads what YAML or a variable says, and says what is wrong with it."""

from __future__ import annotations

import re
from pathlib import Path
from stat import S_ISDIR
from typing import Annotated, Any

from pydantic import BeforeValidator, ValidationInfo

from reconciler.following.ranges import parse_range
from reconciler.settings.urls import transport
from reconciler.spec.durations import parse_seconds
from reconciler.spec.files import file_mode
from reconciler.spec.nodes import kind_of, shown
from reconciler.spec.scalars import number_text
from reconciler.spec.sizes import parse_bytes

PATH = "path"  # marks fields whose relative values begin at the folder of whoever wrote them
_PERCENT = re.compile(r"([0-9]{1,3}(?:\.[0-9]+)?) ?%", re.ASCII)
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.-]{0,62}", re.ASCII)
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)


def text(value: Any) -> str:
    """A string that says something."""
    if not isinstance(value, str):
        hint = ": quote it" if isinstance(value, int | float) else ""
        raise ValueError(f"must be a string, not {kind_of(value)}{hint}")  # noqa: TRY004 - pydantic collects these
    if not value.strip():
        raise ValueError("must not be empty")
    if not value.isprintable():
        raise ValueError("must not hold control characters")
    return str(value)


def name(value: Any) -> str:
    """What can be part of a file's name and of a label."""
    if not _NAME.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} is not a valid name (use letters, digits, '.', '_' and '-')")
    return str(value)


def seconds(value: Any) -> float:
    """A duration above zero; a bare number has no unit."""
    found = parse_seconds(_scalar(value, "a duration such as 30s or 5m"))
    if found <= 0:
        raise ValueError(f"{shown(str(value))} is no time at all")
    return found


def size(value: Any) -> int:
    """A size above zero, in bytes or with a unit."""
    found = parse_bytes(_scalar(value, "a size such as 256m"))
    if found <= 0:
        raise ValueError(f"{shown(str(value))} is no size at all")
    return found


def whole(value: Any) -> int:
    """A whole number from 1 on."""
    found = _scalar(value, "a whole number")
    if not _NUMBER.fullmatch(found) or int(found) == 0:
        raise ValueError(f"must be a whole number from 1 on, not {shown(found)}")
    return int(found)


def share(value: Any) -> float:
    """`30%` or `0.3`: a share of a whole."""
    found = _scalar(value, "a share such as 30% or 0.3")
    percent = _PERCENT.fullmatch(found)
    try:
        number = float(percent[1]) / 100 if percent else float(found)
    except ValueError:
        number = -1.0
    if not 0 <= number <= 1:
        raise ValueError(f"must be a share such as 30% or 0.3, not {shown(found)}")
    return number


def path(value: Any, info: ValidationInfo) -> str:
    """A path, absolute: a relative one begins at the folder of the settings file."""
    return str(Path((info.context or {}).get("base", "/"), text(value)))


def engine_path(value: Any) -> str:
    """A path on the engine's machine, where no folder of ours means anything."""
    if not text(value).startswith("/"):
        raise ValueError(f"{shown(value)} must be an absolute path: it is one of the engine's machine")
    return str(value)


def readable_file(value: Any, info: ValidationInfo) -> str:
    """A path as `path`, of a file that is there, as far as this user may see."""
    found = path(value, info)
    mode = file_mode(found)
    if mode == 0:
        raise ValueError(f"{found} does not exist")
    if mode and S_ISDIR(mode):
        raise ValueError(f"{found} is a folder, not a file")
    return found


def paths(value: Any, info: ValidationInfo) -> list[str]:
    """One path or several, as `path`."""
    if isinstance(value, list) and value:
        return [path(item, info) for item in value]
    return [path(value, info)]


def repository(value: Any) -> str:
    """Where a repository is: https://, ssh:// or host:path, without credentials."""
    transport(text(value))
    return str(value)


def ref(value: Any) -> str:
    """The name of a branch or tag, as far as git could not take it for anything else (git-check-ref-format(1))."""
    found = text(value)
    if found.startswith(("-", "/", ".")) or re.search(r"[\s~^:?*\[\\]|\.\.|@\{|//", found):
        raise ValueError(f"{shown(found)} cannot be the name of a branch or tag")
    return found


def version_range(value: Any) -> str:
    """A range of versions."""
    parse_range(text(value))
    return str(value)


def commit(value: Any) -> str:
    """The name of a commit, whole."""
    if not _COMMIT.fullmatch(text(value)):
        raise ValueError(f"{shown(value)} is no commit: write all of its 40 (or 64) digits, in small letters")
    return str(value)


def inner_path(value: Any) -> str:
    """A folder inside of a repository."""
    found = text(value).strip("/")
    if ".." in found.split("/") or value.startswith("/"):
        raise ValueError(f"{shown(value)} must be a folder inside of the repository")
    return "" if found == "." else found


def _scalar(value: Any, what: str) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int | float):
        raise ValueError(f"must be {what}, not {kind_of(value)}")  # noqa: TRY004 - pydantic collects these
    return value.strip() if isinstance(value, str) else number_text(value)


Text = Annotated[str, BeforeValidator(text)]
Name = Annotated[str, BeforeValidator(name)]
Seconds = Annotated[float, BeforeValidator(seconds)]
Size = Annotated[int, BeforeValidator(size)]
Whole = Annotated[int, BeforeValidator(whole)]
Share = Annotated[float, BeforeValidator(share)]
LocalPath = Annotated[str, BeforeValidator(path), PATH]
LocalPaths = Annotated[list[str], BeforeValidator(paths), PATH]
EnginePath = Annotated[str, BeforeValidator(engine_path)]
File = Annotated[str, BeforeValidator(readable_file), PATH]
Repository = Annotated[str, BeforeValidator(repository)]
InnerPath = Annotated[str, BeforeValidator(inner_path)]
Ref = Annotated[str, BeforeValidator(ref)]
VersionRange = Annotated[str, BeforeValidator(version_range)]
Commit = Annotated[str, BeforeValidator(commit)]
