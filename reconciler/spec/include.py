"""`include` (Compose Spec, "Include"): files of other projects, read in their own folder, become part of this one.

What is included is complete before it is imported: its paths are absolute, its variables are substituted. A resource
that both sides declare must be the same on both; to change one, override it in a file of its own.
"""

from __future__ import annotations

import posixpath
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from reconciler.errors import SpecError
from reconciler.spec.forms import Scope, Spot, convert, need_items, need_text
from reconciler.spec.nodes import Items, MalformedError, Mark, Table, kind_of, shown, source_text
from reconciler.spec.sources import local_path
from reconciler.spec.volumes import resolve_device, resolve_path

SECTIONS = ("services", "networks", "volumes", "configs", "secrets", "models")
_KEYS = ("path", "project_directory", "env_file")
_NO_ENV_FILE = "/dev/null"


@dataclass(frozen=True)
class Inclusion:
    """One entry of `include`, its paths absolute. `env_files` is None where the folder's `.env` is to be read."""

    paths: tuple[str, ...]
    folder: str
    env_files: tuple[str, ...] | None
    mark: Mark


def take_inclusions(document: Table, scope: Scope) -> list[Inclusion]:
    """The entries of `include`, which then is no longer in the document. What is malformed is reported to `scope`."""
    spot = Spot(("include",), document.mark("include"), scope)
    written = document.get("include")
    document.drop("include")
    entries = convert(lambda value, _: need_items(value), written, spot) if written is not None else Items()
    if not isinstance(entries, Items):
        return []
    found = [convert(_inclusion, item, spot.child(index, mark)) for index, (item, mark) in enumerate(entries.marked())]
    return [one for one in found if isinstance(one, Inclusion)]


def _inclusion(value: Any, spot: Spot) -> Inclusion:
    """`PATH` or `{path: PATH or [PATH, ...], project_directory: PATH, env_file: PATH or [PATH, ...]}`."""
    table = _long_form(value, spot.mark)
    folder, home = spot.scope.folder, spot.scope.home
    paths = tuple(local_path(path, folder, home) for path in _texts(table.get("path")))
    if not paths:
        raise MalformedError("names no file", "write path: FILE")
    project = table.get("project_directory")
    own_folder = resolve_path(need_text(project), folder, home) if project else posixpath.dirname(paths[0])
    env_files = [path for path in _texts(table.get("env_file")) if path != _NO_ENV_FILE]
    absolute = tuple(resolve_path(path, folder, home) for path in env_files)
    return Inclusion(paths, own_folder, absolute if table.get("env_file") else None, spot.mark)


def _long_form(value: Any, mark: Mark) -> Table:
    if isinstance(value, str):
        table = Table()
        table.put("path", value, mark)
        return table
    if not isinstance(value, Table):
        raise MalformedError(f"must be a path or a mapping, not {kind_of(value)}")
    unknown = sorted(set(value) - set(_KEYS))
    if unknown:
        raise MalformedError(f"{shown(unknown[0])} is not a key of include", f"it has {', '.join(_KEYS)}")
    return value


def _texts(value: Any) -> list[str]:
    if value is None:
        return []
    return [need_text(item) for item in (value if isinstance(value, Items) else [value])]


def complete_included(imported: Table, scope: Scope, environment: Mapping[str, str]) -> None:
    """Settle in place what depends on the included project's folder and environment, not on those of the whole."""
    for volume in (imported.get("volumes") or Table()).values():
        resolve_device(volume or Table(), scope.folder, scope.home)
    for service in (imported.get("services") or Table()).values():
        build = service.get("build")
        if build is not None and "context" not in build:
            build.put("context", scope.folder, service.mark("build"))
        variables = service.get("environment") or Table()
        for key in [key for key, value in variables.items() if value is None and key in environment]:
            variables[key] = environment[key]


def import_resources(document: Table, imported: Table, scope: Scope) -> None:
    """Add what was included to the document. A resource declared differently on both sides is reported to `scope`."""
    for section in SECTIONS:
        resources = imported.get(section) or Table()
        if resources and document.get(section) is None:
            document.put(section, Table(), imported.mark(section))
        for name, resource in resources.items():
            own = document[section]
            if name not in own:
                own.put(name, resource, resources.mark(name))
            elif own[name] != resource:
                scope.errors.append(_conflict(f"{section}.{name}", own.mark(name), resources.mark(name)))


def _conflict(path: str, own: Mark, included: Mark) -> SpecError:
    message = f"{path}: is also declared, differently, at {source_text(included)}, which is included"
    hint = "rename one, or override the included one: include: [{path: [FILE, OVERRIDE]}]"
    return SpecError(message, source=source_text(own), hint=hint)
