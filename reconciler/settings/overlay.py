"""Variables and flags, put over what the file says: each value with the name of whoever said it in place of a line."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any

from reconciler.errors import SettingsError
from reconciler.settings.shape import GIT, PREFIX, Key, git_keys, keys
from reconciler.spec.durations import format_duration
from reconciler.spec.nodes import Items, Mark, Table

CONFIG = "RECONCILER_CONFIG"
ELSEWHERE = ("RECONCILER_REGISTRY_CERTS", "RECONCILER_PLAIN_REGISTRIES")  # read where registries are asked
_OTHERS = ("RECONCILER_BUILD_SECRET_", "RECONCILER_TEST_")  # of builds under way, and of test suites
_ENGINE = ("host", "context")
_LONGEST = 60


def put_variables(document: Table, environment: Mapping[str, str]) -> Iterator[SettingsError]:
    """Put what the variables say over the document; what is wrong with their names. Empty ones count as not there."""
    said = {name: value for name, value in environment.items() if name.startswith(PREFIX) and value}
    ours = {key.variable: key for key in keys() if key.variable}
    gits = {key.variable: key for key in git_keys() if key.variable}
    _forget_engine(document, {key.path[0] for name, key in ours.items() if name in said})
    for name in sorted(said):
        if name in ours:
            _put(document, ours[name], said[name], name)
        elif name not in gits and name not in {CONFIG, *ELSEWHERE} and not name.startswith(_OTHERS):
            yield _unknown(name, [*ours, *gits, CONFIG, *ELSEWHERE])
    yield from _put_git(document, {name: value for name, value in said.items() if name in gits})


def put_flags(document: Table, flags: Mapping[str, Any]) -> None:
    """Put what the command line says over the document: by the names of the flags, None and () for what it does not."""
    said = {key: flags.get(key.flag.strip("-").replace("-", "_")) for key in keys() if key.flag}
    _forget_engine(document, {key.path[0] for key, value in said.items() if value is not None})
    for key, value in said.items():
        if value is not None:
            seconds = format_duration(round(value * 1e9)) if isinstance(value, float) else value
            _put(document, key, seconds, key.flag)
    if flags.get("files"):
        _put_source(document, {"directory": _listed(flags["files"])}, "-f")


def _put_git(document: Table, said: Mapping[str, str]) -> Iterator[SettingsError]:
    """The repository that the variables describe is the one source."""
    if not said:
        return
    if f"{GIT}URL" not in said:
        name = min(said)
        yield SettingsError("this is about a repository, and none is named", source=name, hint=f"set {GIT}URL too")
        return
    entry = Table()
    for key in git_keys():
        if key.variable in said:
            _put(entry, key, said[key.variable], key.variable)
    _put_source(document, entry, f"{GIT}URL")


def _put_source(document: Table, entry: Mapping[str, Any], said_by: str) -> None:
    table = entry if isinstance(entry, Table) else Table()
    for key, value in entry.items():
        if key not in table.marks:
            table.put(key, value, (said_by, 0))
    sources = Items()
    sources.add(table, (said_by, 0))
    document.put("sources", sources, (said_by, 0))


def _listed(files: tuple[str, ...]) -> Items:
    found = Items()
    for file in files:
        found.add(_from_here(file), ("-f", 0))
    return found


def _put(document: Table, key: Key, value: Any, said_by: str) -> None:
    mark: Mark = (said_by, 0)
    for step in key.path[:-1]:
        if step not in document:
            document.put(step, Table(), mark)
        if not isinstance(document[step], Table):  # whoever validates says so
            return
        document = document[step]
    document.put(key.path[-1], _from_here(value) if key.is_path else value, mark)


def _from_here(path: str) -> str:
    return str(Path.cwd() / path)


def _forget_engine(document: Table, said: set[str]) -> None:
    """A host in place of a context, or the other way round: both of a file are what is replaced."""
    if not said.isdisjoint(_ENGINE):
        for name in _ENGINE:
            document.drop(name)


def _unknown(name: str, known: list[str]) -> SettingsError:
    near = get_close_matches(name[:_LONGEST], known, 1)
    hint = f"did you mean {near[0]}?" if near else "docs/settings.md lists the variables"
    return SettingsError("this variable is unknown", source=name, hint=hint)
