"""From files to projects: what `-f` means, loaded, lowered, pinned, cut down to what was asked for.

Called by `app` for a command line and by `service` for a source. A project that cannot be loaded costs no other one.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from reconciler.age import Keyring
from reconciler.errors import ReconcilerError, SpecError, SpecErrors
from reconciler.model.project import Build, Notice, Project, Service
from reconciler.source.directory import discover, duplicate_names, parts_of_others
from reconciler.spec.load import Loaded, Request, load
from reconciler.spec.lockfile import read_lock, with_pins
from reconciler.spec.lowering import lower


@dataclass(frozen=True)
class Selection:
    """Which specs, and how to read them, in the words of the command line.

    `base` is the folder (absolute) where default places are looked for, where relative paths begin, and that shown
    paths are relative to. Nothing outside of `confined_to` is read, where that is said; `keyring` and `undecrypted` are
    those of `spec.load.Request`.
    """

    base: str
    files: tuple[str, ...] = ()
    project_name: str | None = None
    services: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    prune: bool | None = None
    allow_empty: bool = False
    confined_to: str | None = None
    keyring: Keyring | None = None
    undecrypted: bool = False


@dataclass(frozen=True)
class Specs:
    """Everything that could be loaded, and what could not: `errors` belong to projects that are refused."""

    projects: tuple[Project, ...]
    warnings: tuple[Notice, ...]
    errors: tuple[Notice, ...]


@dataclass(frozen=True)
class Entry:
    """One project of a selection: its document, or why there is none. `files` are those that make it."""

    files: tuple[str, ...]
    loaded: Loaded | None = None
    errors: tuple[SpecError, ...] = ()


def load_specs(selection: Selection, environment: Mapping[str, str], *, choosing: bool = False) -> Specs:
    """The projects asked for; `choosing` says that a project name chooses among several instead of naming one.

    `environment` is what `${...}` reads beside env files. UsageError where nothing is there to load.
    """
    entries, notices = documents(selection, environment, choosing=choosing)
    errors = [error for entry in entries for error in entry.errors]
    projects = []
    for entry in entries:
        try:
            projects += [project_of(entry.loaded, selection)] if entry.loaded else []
        except SpecError as error:
            errors.append(error)
    warnings = (*notices, *(notice for project in projects for notice in project.notices))
    refused = dict.fromkeys(error_notice(error) for error in flat(errors))
    return Specs(tuple(projects), tuple(dict.fromkeys(warnings)), tuple(refused))


def documents(
    selection: Selection, environment: Mapping[str, str], *, choosing: bool = False
) -> tuple[list[Entry], list[Notice]]:
    """Every project of the selection as Compose normalises it, in order of their paths, and what was left aside."""
    found = discover(selection.files, selection.base, environment, selection.env_files)
    choosing = choosing and len(found.requests) > 1
    chosen = selection.project_name if choosing else None
    entries = [_entry(_asked(request, selection, choosing=choosing), environment) for request in found.requests]
    loaded = [entry.loaded for entry in entries if entry.loaded]
    keys = selection.keyring.notices if selection.keyring else ()
    notices = [*found.notices, *keys, *parts_of_others(found.requests, loaded, selection.base)]
    twins = Counter(item.name for item in loaded)
    entries = [_refused(entry, loaded) if _named(entry, twins) > 1 else entry for entry in entries]
    return [entry for entry in entries if not (chosen and entry.loaded and entry.loaded.name != chosen)], notices


def _named(entry: Entry, names: Mapping[str, int]) -> int:
    return names[entry.loaded.name] if entry.loaded else 0


def _refused(entry: Entry, loaded: Sequence[Loaded]) -> Entry:
    """The entry without its project: another one has the same name, and nobody could say which is meant."""
    twins = [item for item in loaded if entry.loaded and item.name == entry.loaded.name]
    return Entry(entry.files, None, tuple(duplicate_names(twins)))


def project_of(loaded: Loaded, selection: Selection) -> Project:
    """The project in Engine API terms, with its pins and with what its builds read. SpecError where that fails."""
    lock = read_lock(loaded.working_dir, selection.base, selection.confined_to)
    return with_contents(with_pins(_with_options(lower(loaded), selection), lock))


def error_notice(error: ReconcilerError) -> Notice:
    """The error as a report carries it."""
    hint = f" ({error.hint})" if error.hint else ""
    return Notice(error.code, f"{error.message}{hint}", error.source or "")


def flat(errors: Sequence[SpecError]) -> list[SpecError]:
    """Each error by itself."""
    return [inner for error in errors for inner in (error.errors if isinstance(error, SpecErrors) else [error])]


def _asked(request: Request, selection: Selection, *, choosing: bool) -> Request:
    named = request.project_name if choosing else selection.project_name or request.project_name
    return replace(
        request,
        project_name=named,
        profiles=selection.profiles,
        env_files=selection.env_files,
        confined_to=selection.confined_to,
        keyring=selection.keyring,
        undecrypted=selection.undecrypted,
        cwd=selection.base,
    )


def _entry(request: Request, environment: Mapping[str, str]) -> Entry:
    try:
        return Entry(request.files, load(request, environment))
    except SpecError as error:
        return Entry(request.files, None, (error,))


def _with_options(project: Project, selection: Selection) -> Project:
    project = replace(
        project,
        prune=project.prune if selection.prune is None else selection.prune,
        allow_empty=project.allow_empty or selection.allow_empty,
    )
    return _only(project, selection.services) if selection.services else project


def _only(project: Project, names: tuple[str, ...]) -> Project:
    """The project cut down to some services and what they depend on; the others are neither touched nor pruned."""
    known = {service.name: service for service in project.services}
    unknown = [name for name in names if name not in known]
    if unknown:
        message = f"project {project.name} has no service {unknown[0]}"
        raise SpecError(message, source=project.source, hint=f"its services are {', '.join(sorted(known))}")
    wanted: set[str] = set()
    queue = list(names)
    while queue:
        name = queue.pop()
        if name in known and name not in wanted:
            wanted.add(name)
            queue += [dependency.service for dependency in known[name].depends_on] + [
                owner for _, owner in known[name].shares
            ]
    kept = tuple(service for service in project.services if service.name in wanted)
    return replace(project, services=kept, disabled=project.disabled | (known.keys() - wanted), prune=False)


def with_contents(project: Project) -> Project:
    """The project with what its builds read here; the session knows what they start from. SpecError where it cannot."""
    if not any(service.image.build for service in project.services):
        return project
    from reconciler.images.build_key import with_content

    return replace(
        project, services=tuple(_with_content(service, project.name, with_content) for service in project.services)
    )


def _with_content(service: Service, project_name: str, read: Callable[..., Build]) -> Service:
    image = service.image
    if image.build is None:
        return service
    try:
        build = read(image.build, project_name, service.name, image.reference, image.platform)
    except SpecError as error:
        error.source = error.source or service.source("build")
        raise
    return replace(service, image=replace(image, build=build))
