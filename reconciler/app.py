"""The composition root: the only place that knows every part. Commands of `cli` call one function each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconciler.errors import ReconcilerError, SpecError, SpecErrors, UsageError
from reconciler.model.history import Explanation, RolloutRecord
from reconciler.model.project import Notice, Project
from reconciler.model.redaction import redact_text
from reconciler.model.report import Activity, ProjectReport, Report

if TYPE_CHECKING:
    from reconciler.session import Session
    from reconciler.spec.load import Loaded
    from reconciler.store import Store

OnPlan = Callable[[ProjectReport], None]
OnActivity = Callable[[Activity], None]
Act = Callable[["Session", Project], object]
ROOT_STATE = Path("/var/lib/reconciler")


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
    max_unavailable: int | None = None
    prune: bool | None = None
    allow_empty: bool = False
    all_or_nothing: bool = False
    adopt: bool = False
    instance: str = "default"
    state_dir: str | None = None


@dataclass(frozen=True)
class Specs:
    """Everything that could be loaded, and what could not: `errors` belong to projects that are refused."""

    projects: tuple[Project, ...]
    warnings: tuple[Notice, ...]
    errors: tuple[Notice, ...]


@dataclass(frozen=True)
class History:
    """The rollouts of projects, by their names; `errors` are specs that name no project."""

    projects: tuple[tuple[str, tuple[RolloutRecord, ...]], ...]
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()


@dataclass(frozen=True)
class Answer:
    """One service explained; `errors` are other projects' invalid specs."""

    explanation: Explanation
    warnings: tuple[Notice, ...] = ()
    errors: tuple[Notice, ...] = ()


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


def schema() -> str:
    """The JSON Schema of a spec."""
    import json

    from reconciler.spec.editor.json_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def plan(options: Options) -> Report:
    """Forecast every project to its fixed point. Writes nothing anywhere."""
    specs = _load(options)
    with _opened(options, specs.projects, read_only=True) as (session, store):
        limit, adopt = options.max_unavailable, options.adopt
        reports = [session.plan(item, max_unavailable=limit, adopt=adopt) for item in specs.projects]
        specs = _with_notices(specs, store)
    failed = any(not report.converges for report in reports)
    return _report("plan", specs, reports, failed=failed)


def converge(options: Options, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event) -> Report:
    """Converge every project that loads; a project whose forecast does not converge is not touched."""
    specs = _load(options)
    if specs.errors and options.all_or_nothing:
        return Report("converge", (), warnings=specs.warnings, errors=specs.errors, refused=True)
    reports: list[ProjectReport] = []
    errors: list[Notice] = []
    with _opened(options, specs.projects, read_only=False) as (session, store):
        for project in specs.projects:
            if stop.is_set():
                message = f"project {project.name} was not reached before the stop"
                errors.append(Notice("Stopped", message, project.source))
                continue
            try:
                reports.append(_converge(session, project, options, on_plan, on_activity, stop))
            except ReconcilerError as error:
                errors.append(Notice(error.code, str(error), project.source))
        specs = _with_notices(specs, store)
    failed = bool(errors) or any(not report.succeeded for report in reports)
    specs = replace(specs, errors=(*specs.errors, *errors))
    return _report("converge", specs, reports, failed=failed, refused=len(specs.errors) > len(errors))


def status(options: Options, *, deep: bool = False) -> Report:
    """What runs of each project, compared with its spec; `deep` looks into containers too. Writes nothing."""
    specs = _load(options)
    with _opened(options, specs.projects, read_only=True) as (session, store):
        reports = [session.status(project, deep=deep) for project in specs.projects]
        specs = _with_notices(specs, store)
    return _report("status", specs, reports, failed=False)


def history(options: Options, limit: int) -> History:
    """At most `limit` rollouts of each project, or of the services asked for. With a project name no spec is read."""
    names, specs = _names(options)
    with _opened(options, (), read_only=True) as (session, store):
        past = tuple((name, _rollouts(session, name, options.services, limit)) for name in names)
        specs = _with_notices(specs, store)
    return History(past, specs.warnings, specs.errors)


def why(options: Options, service: str) -> Answer:
    """Why a service is as it is. Writes nothing. UsageError where no project has it, or several do."""
    specs = _load(options, choosing=True)
    project = _project_of(specs, options, service)
    with _opened(options, (project,), read_only=True) as (session, store):
        explanation = session.explain(project, service)
        specs = _with_notices(specs, store)
    return Answer(explanation, specs.warnings, specs.errors)


def retry(options: Options, service: str, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event) -> Report:
    """Lift what keeps a service from being tried again, and converge its project.

    UsageError where no project has it, or several do; ReconcilerError where there is nothing to lift.
    """

    def lift(session: Session, project: Project) -> None:
        if not session.retry(project, service):
            raise ReconcilerError(
                f"there is nothing to retry: service {service} of project {project.name} is not held back",
                hint=f"reconcile why {service} says how it is",
                code="NothingToRetry",
            )

    return _act_and_converge(options, service, lift, on_plan, on_activity, stop)


def rollback(
    options: Options,
    service: str,
    revision: int | None,
    on_plan: OnPlan,
    on_activity: OnActivity,
    stop: threading.Event,
) -> Report:
    """Take a service back to a revision of it (None: the one before), and converge its project.

    UsageError where no project has the service, several do, or it has no such revision; RollbackError where there is
    nothing to go back to.
    """

    def go_back(session: Session, project: Project) -> None:
        known = session.revisions(project.name, service) if revision is not None else ()
        if revision is not None and revision not in {stable.revision for stable in known}:
            kept = ", ".join(f"{stable.revision} ({redact_text(stable.reference)})" for stable in known)
            raise UsageError(
                f"service {service} of project {project.name} has no revision {revision}",
                hint=f"its revisions are {kept}" if kept else "it has none yet: a definition that came up becomes one",
            )
        session.go_back(project, service, revision)

    report = _act_and_converge(options, service, go_back, on_plan, on_activity, stop)
    return replace(report, projects=tuple(_as_asked(project, service) for project in report.projects))


def _as_asked(report: ProjectReport, service: str) -> ProjectReport:
    """The report of a rollback by hand: that the service went back is no trouble then."""
    kept = tuple(item for item in report.conditions if (item.service, item.reason) != (service, "RolledBack"))
    return replace(report, conditions=kept)


def _act_and_converge(
    options: Options, service: str, act: Act, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event
) -> Report:
    specs = _load(options, choosing=True)
    project = _project_of(specs, options, service)
    if specs.errors and options.all_or_nothing:
        return Report("converge", (), warnings=specs.warnings, errors=specs.errors, refused=True)
    with _opened(options, (project,), read_only=False) as (session, store):
        act(session, project)
        report = _converge(session, project, options, on_plan, on_activity, stop)
        specs = _with_notices(specs, store)
    return _report("converge", specs, [report], failed=not report.succeeded)


def _converge(
    session: Session,
    project: Project,
    options: Options,
    on_plan: OnPlan,
    on_activity: OnActivity,
    stop: threading.Event,
) -> ProjectReport:
    return session.converge(
        project,
        on_plan,
        on_activity,
        stop.is_set,
        options.timeout,
        max_unavailable=options.max_unavailable,
        adopt=options.adopt,
    )


def _rollouts(session: Session, project: str, services: tuple[str, ...], limit: int) -> tuple[RolloutRecord, ...]:
    """The newest rollouts, the newest last."""
    found = [record for service in services or (None,) for record in session.history(project, service, limit)]
    return tuple(sorted(found, key=lambda record: record.number)[-limit:])


def _names(options: Options) -> tuple[tuple[str, ...], Specs]:
    if options.project_name:
        return (options.project_name,), Specs((), (), ())
    loaded, notices, errors = _documents(options)
    specs = Specs((), tuple(notices), tuple(_notice(error) for error in _flat(errors)))
    return tuple(item.name for item in loaded), specs


def _project_of(specs: Specs, options: Options, service: str) -> Project:
    """The one project that has the service."""
    found = [project for project in specs.projects if project.service(service)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(project.name for project in found)
        raise UsageError(f"service {service} is in several projects: {names}", hint=f"choose with -p {found[0].name}")
    if specs.errors:
        raise SpecErrors([SpecError(item.message, source=item.source or None) for item in specs.errors])
    if not specs.projects:
        raise UsageError(f"there is no project {options.project_name}", hint="-p chooses among the projects of -f")
    services = (f"{', '.join(item.name for item in project.services)} ({project.name})" for project in specs.projects)
    raise UsageError(f"there is no service {service}", hint=f"the services are {'; '.join(services)}")


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


@contextmanager
def _opened(options: Options, projects: tuple[Project, ...], *, read_only: bool) -> Iterator[tuple[Session, Store]]:
    """The engine and the store of a command; a simulated engine's past is nobody's."""
    from reconciler.session import open_session
    from reconciler.store import Store

    simulated = options.host == "simulated://"
    store = Store.in_memory() if simulated else Store.open(_state_dir(options), read_only=read_only)
    with store, open_session(options.host, options.context, options.instance, projects, store) as session:
        yield session, store


def _state_dir(options: Options) -> Path:
    """Where the store is: named, else root's place, else the user's (XDG Base Directory, state)."""
    if named := options.state_dir or os.environ.get("RECONCILER_STATE_DIR"):
        return Path(named)
    if os.geteuid() == 0:
        return ROOT_STATE
    home = os.environ.get("XDG_STATE_HOME", "")
    base = Path(home) if home.startswith("/") else Path.home() / ".local/state"
    return base / "reconciler"


def _with_notices(specs: Specs, store: Store) -> Specs:
    return replace(specs, warnings=(*specs.warnings, *store.notices))


def _load(options: Options, *, choosing: bool = False) -> Specs:
    """The projects asked for; `choosing` says that a project name chooses among several instead of naming one."""
    from reconciler.images.build_key import with_content
    from reconciler.spec.lockfile import read_lock, with_pins
    from reconciler.spec.lowering import lower

    loaded, notices, errors = _documents(options, choosing=choosing)
    projects = []
    for item in loaded:
        try:
            project = with_pins(_with_options(lower(item), options), read_lock(item.working_dir, str(Path.cwd())))
            projects.append(_with_contents(project, with_content))
        except SpecError as error:
            errors.append(error)
    warnings = (*notices, *(notice for project in projects for notice in project.notices))
    refused = dict.fromkeys(_notice(error) for error in _flat(errors))
    return Specs(tuple(projects), tuple(dict.fromkeys(warnings)), tuple(refused))


def _documents(options: Options, *, choosing: bool = False) -> tuple[list[Loaded], list[Notice], list[SpecError]]:
    from reconciler.source.directory import discover, duplicate_names, parts_of_others
    from reconciler.spec.load import load

    found = discover(options.files, str(Path.cwd()), os.environ, options.env_files)
    choosing = choosing and len(found.requests) > 1
    chosen = options.project_name if choosing else None
    loaded, errors = [], []
    for request in found.requests:
        asked = replace(
            request,
            project_name=request.project_name if choosing else options.project_name or request.project_name,
            profiles=options.profiles,
            env_files=options.env_files,
        )
        try:
            loaded.append(load(asked, os.environ))
        except SpecError as error:
            errors.append(error)
    duplicates = duplicate_names(loaded)
    notices = [*found.notices, *parts_of_others(found.requests, loaded, str(Path.cwd()))]
    if chosen:
        loaded = [item for item in loaded if item.name == chosen]
    return ([] if duplicates else loaded), notices, errors + duplicates


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


def _with_contents(project: Project, with_content: Callable[..., object]) -> Project:
    """The project with what its builds read here; the session knows what they start from."""
    services = []
    for service in project.services:
        image = service.image
        if image.build is not None:
            try:
                build = with_content(image.build, project.name, service.name, image.reference, image.platform)
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
