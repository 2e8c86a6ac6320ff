"""What a project is called (Compose Spec, "Name top-level element"; `-p`; COMPOSE_PROJECT_NAME)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import PurePosixPath

from reconciler.errors import SpecError, UsageError
from reconciler.spec.nodes import shown

_VALID = re.compile(r"[a-z0-9][a-z0-9_-]*", re.ASCII)
_DROPPED = re.compile(r"[^a-z0-9_-]", re.ASCII)
_FOLDER_FILES = re.compile(r"compose|stack", re.IGNORECASE)
_RULE = "a project name consists of a-z, 0-9, - and _, and begins with a letter or digit"


def normalise_name(text: str) -> str:
    """The project name made of a folder's, a file's or a written name: lower case, other characters dropped."""
    return _DROPPED.sub("", text.lower()).lstrip("_-")


def chosen_name(flag: str | None, environment: Mapping[str, str]) -> str | None:
    """The name that `-p` or COMPOSE_PROJECT_NAME demands, None where neither does; UsageError where it is not valid."""
    for origin, name in (("-p", flag), ("COMPOSE_PROJECT_NAME", environment.get("COMPOSE_PROJECT_NAME"))):
        if not name:
            continue
        if not _VALID.fullmatch(name):
            raise UsageError(f"{origin}: {shown(name)} is not a project name", hint=_RULE)
        return name
    return None


def usable_name(written: str, source: str) -> str:
    """The name that `name: WRITTEN` gives; SpecError at `source` where nothing usable is left of it."""
    name = normalise_name(written)
    if not name:
        message = f"name: {shown(written)} has no character that a project name may begin with"
        raise SpecError(message, source=source, hint=_RULE)
    return name


def default_name(files: tuple[str, ...], folder: str, source: str) -> str:
    """The name of a project that has none: the folder's; a lone file that is not called compose or stack gives its own.

    SpecError at `source` where nothing usable is left of it.
    """
    stem = PurePosixPath(files[0]).stem
    lone = len(files) == 1 and not _FOLDER_FILES.search(stem)
    name = normalise_name(stem if lone else PurePosixPath(folder).name)
    if not name:
        raise SpecError(
            "no project name can be made of the folder's name", source=source, hint="set name: at the top level"
        )
    return name
