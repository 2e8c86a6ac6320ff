"""The composition root: the only place that knows every part. Commands of `cli` call one function each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconciler.errors import ReconcilerError, SpecError, SpecErrors
from reconciler.model.project import Notice, Project
from reconciler.model.report import Activity, ProjectReport, Report

if TYPE_CHECKING:
    from reconciler.session import Session
    from reconciler.spec.load import Loaded


@dataclass(frozen=True)
class Options:
    """What the command line asks for, in the words of the contract."""

    files: tuple[str, ...] = ()
    project_name: str | None = None
    services: tuple[str, ...] = ()
    profiles: tuple[str, ...] = ()
    env_files: tuple[str, ...] = ()
    host: str | None = None
    context: str | None = None
    timeout: float | None = None
    prune: bool | None = None
    allow_empty: bool = False
    all_or_nothing: bool = False
    instance: str = "default"


@dataclass(frozen=True)
class Specs:
    """Everything that could be loaded, and what could not: `errors` belong to projects that are refused."""

    projects: tuple[Project, ...]
    warnings: tuple[Notice, ...]
    errors: tuple[Notice, ...]


def validate(options: Options) -> Report:
    """Load and check the specs; no engine is asked."""
    specs = _load(options)
    projects = tuple(
        ProjectReport(project.name, None, converges=True, in_sync=True, source=project.source)
        for project in specs.projects
    )
    return Report("plan", projects, warnings=specs.warnings, errors=specs.errors, refused=bool(specs.errors))


def config(options: Options, fmt: Literal["json", "yaml"]) -> str:
    """The normalised spec, as `docker compose config` prints it. SpecErrors where it is invalid."""
    from reconciler.spec.render import render

    loaded, _, errors = _documents(options)
    if errors:
        raise SpecErrors(errors)
    documents = [render(item.document, fmt) for item in loaded]
    return "---\n".join(documents) if fmt == "yaml" else "".join(documents)


def plan(options: Options) -> Report:
    """Forecast every project to its fixed point. Writes nothing anywhere."""
    specs = _load(options)
    with _session(options, specs.projects) as session:
        reports = [session.forecast(project).report for project in specs.projects]
    failed = any(not report.converges for report in reports)
    return _report("plan", specs, reports, failed=failed)


def converge(
    options: Options,
    on_plan: Callable[[ProjectReport], None],
    on_activity: Callable[[Activity], None],
    stop: threading.Event,
) -> Report:
    """Converge every project that loads; a project whose forecast does not converge is not touched."""
    specs = _load(options)
    if specs.errors and options.all_or_nothing:
        return Report("converge", (), warnings=specs.warnings, errors=specs.errors, refused=True)
    reports: list[ProjectReport] = []
    errors: list[Notice] = []
    with _session(options, specs.projects) as session:
        for project in specs.projects:
            if stop.is_set():
                message = f"project {project.name} was not reached before the stop"
                errors.append(Notice("Stopped", message, project.source))
                continue
            try:
                reports.append(session.converge(project, on_plan, on_activity, stop.is_set, options.timeout))
            except ReconcilerError as error:
                errors.append(Notice(error.code, str(error), project.source))
    failed = bool(errors) or any(not report.succeeded for report in reports)
    specs = replace(specs, errors=(*specs.errors, *errors))
    return _report("converge", specs, reports, failed=failed, refused=len(specs.errors) > len(errors))


def status(options: Options) -> Report:
    """What runs of each project, compared with its spec. Writes nothing."""
    specs = _load(options)
    with _session(options, specs.projects) as session:
        reports = [session.status(project) for project in specs.projects]
    return _report("status", specs, reports, failed=False)


def _report(
    command: Literal["plan", "converge", "status"],
    specs: Specs,
    reports: list[ProjectReport],
    *,
    failed: bool,
    refused: bool | None = None,
) -> Report:
    return Report(
        command,
        tuple(reports),
        warnings=(*specs.warnings, *(notice for report in reports for notice in report.notices)),
        errors=specs.errors,
        refused=bool(specs.errors) if refused is None else refused,
        failed=failed,
    )


def _session(options: Options, projects: tuple[Project, ...]) -> Session:
    from reconciler.session import open_session

    return open_session(options.host, options.context, options.instance, projects)


def _load(options: Options) -> Specs:
    from reconciler.images.build_key import with_key
    from reconciler.spec.lowering import lower

    loaded, notices, errors = _documents(options)
    projects = []
    for item in loaded:
        try:
            project = _with_options(lower(item), options)
            projects.append(_with_build_keys(project, with_key))
        except SpecError as error:
            errors.append(error)
    warnings = (*notices, *(notice for project in projects for notice in project.notices))
    return Specs(tuple(projects), tuple(dict.fromkeys(warnings)), tuple(_notice(error) for error in _flat(errors)))


def _documents(options: Options) -> tuple[list[Loaded], list[Notice], list[SpecError]]:
    from reconciler.source.directory import discover, duplicate_names
    from reconciler.spec.load import load

    found = discover(options.files, str(Path.cwd()))
    loaded, errors = [], []
    for request in found.requests:
        asked = replace(
            request,
            project_name=options.project_name or request.project_name,
            profiles=options.profiles,
            env_files=options.env_files,
        )
        try:
            loaded.append(load(asked, os.environ))
        except SpecError as error:
            errors.append(error)
    duplicates = duplicate_names(loaded)
    return ([] if duplicates else loaded), list(found.notices), errors + duplicates


def _with_options(project: Project, options: Options) -> Project:
    project = replace(
        project,
        prune=project.prune if options.prune is None else options.prune,
        allow_empty=project.allow_empty or options.allow_empty,
    )
    return _only(project, options.services) if options.services else project


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


def _with_build_keys(project: Project, with_key: Callable[..., object]) -> Project:
    services = []
    for service in project.services:
        image = service.image
        if image.build is not None:
            try:
                build = with_key(image.build, project.name, service.name, image.reference, image.platform)
            except SpecError as error:
                error.source = error.source or service.source("build")
                raise
            image = replace(image, build=build)  # type: ignore[arg-type]
        services.append(replace(service, image=image))
    return replace(project, services=tuple(services))


def _flat(errors: list[SpecError]) -> list[SpecError]:
    return [inner for error in errors for inner in (error.errors if isinstance(error, SpecErrors) else [error])]


def _notice(error: SpecError) -> Notice:
    hint = f" ({error.hint})" if error.hint else ""
    return Notice(error.code, f"{error.message}{hint}", error.source or "")
