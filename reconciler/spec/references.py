"""What a finished document names on this disk beside compose and env files: build contexts, profiles, file contents.

Called by `load`, so that all of it is known and, for a confined spec, inside of its tree before anybody reads it. The
sources of bind mounts are left out: they are the engine's, and the policy's matter.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from dataclasses import dataclass

from reconciler.errors import SpecError
from reconciler.spec.builds import REMOTE_CONTEXTS
from reconciler.spec.files import Files
from reconciler.spec.nodes import Items, Mark, Table, source_text

_IGNORE_FILE = ".dockerignore"
_PROFILE = ("seccomp=", "seccomp:")


@dataclass(frozen=True)
class Reference:
    """One file or folder: `what` names it in errors, `mark` is where it was written."""

    path: str
    what: str
    mark: Mark


def admit_references(document: Table, folder: str, files: Files) -> list[SpecError]:
    """Admit everything that the document names; the errors of what may not be read. `folder` is the project's."""
    errors: list[SpecError] = []
    for reference in _references(document, folder):
        try:
            files.admit(reference.path, what=reference.what, source=source_text(reference.mark))
        except SpecError as error:
            errors.append(error)
    return errors


def _references(document: Table, folder: str) -> Iterator[Reference]:
    for name, service in document["services"].items():
        mark = document["services"].mark(name)
        if service.get("build"):
            yield from _build(f"services.{name}.build", service["build"], mark)
        yield from _profiles(f"services.{name}.security_opt", service.get("security_opt") or Items(), folder)
    for section in ("configs", "secrets"):
        for name, entry in (document.get(section) or Table()).items():
            if isinstance(entry, Table) and isinstance(entry.get("file"), str):
                yield Reference(entry["file"], f"{section}.{name}.file", entry.mark("file"))


def _build(path: str, build: Table, mark: Mark) -> Iterator[Reference]:
    context = build["context"]
    place = build.marks.get("context", mark)
    for name, folder in (build.get("additional_contexts") or Table()).items():
        if not folder.startswith(REMOTE_CONTEXTS):
            yield Reference(folder, f"{path}.additional_contexts.{name}", place)
    if context.startswith(REMOTE_CONTEXTS):
        return
    yield Reference(context, f"{path}.context", place)
    yield Reference(posixpath.join(context, _IGNORE_FILE), f"{path}: {_IGNORE_FILE}", place)
    if "dockerfile" in build:
        dockerfile, place = posixpath.join(context, build["dockerfile"]), build.marks.get("dockerfile", place)
        yield Reference(dockerfile, f"{path}.dockerfile", place)
        yield Reference(dockerfile + _IGNORE_FILE, f"{path}.dockerfile: its {_IGNORE_FILE}", place)


def _profiles(path: str, options: Items, folder: str) -> Iterator[Reference]:
    for option, mark in options.marked():
        profile = option[len(_PROFILE[0]) :] if option.startswith(_PROFILE) else "unconfined"
        if profile != "unconfined":
            yield Reference(posixpath.join(folder, profile), f"{path}: the seccomp profile", mark)
