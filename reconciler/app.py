"""The composition root: the only place that knows every part. Commands of `cli` call one function each."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from reconciler.admission import admit, policies, policy_notices
from reconciler.age import SETTING, Keyring
from reconciler.errors import PolicyError, ReconcilerError, SpecError, SpecErrors, UsageError
from reconciler.keyfiles import HASH_KEY, hash_key
from reconciler.loading import Selection, Specs, documents, error_notice, flat, load_specs
from reconciler.model.history import ActionRecord, RolloutRecord
from reconciler.model.project import Notice, Project
from reconciler.model.redaction import REDACTED, redact_text
from reconciler.model.report import Activity, Answer, History, ProjectReport, Report
from reconciler.model.settings import Settings
from reconciler.operating import user_name
from reconciler.settings.defaults import default_state_dir

if TYPE_CHECKING:
    from reconciler.session import Session
    from reconciler.store import Store

OnPlan = Callable[[ProjectReport], None]
OnActivity = Callable[[Activity], None]
Act = Callable[["Session", Project], object]


@dataclass(frozen=True)
class Options:
    """What the command line asks for, in the words of the contract; `settings` are those of the installation."""

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
    settings: Settings = field(default_factory=Settings)


def validate(options: Options) -> Report:
    """Load and check the specs; no engine is asked."""
    specs = load_specs(replace(_selection(options), undecrypted=True), os.environ)
    specs = admit(specs, policies(options.settings))
    projects = tuple(
        ProjectReport(project.name, None, converges=True, in_sync=True, source=project.source)
        for project in specs.projects
    )
    return Report("plan", projects, warnings=specs.warnings, errors=specs.errors, refused=bool(specs.errors))


def config(options: Options, fmt: Literal["json", "yaml"]) -> str:
    """The normalised spec, as `docker compose config` prints it. SpecErrors where it is invalid."""
    from reconciler.spec.encrypted import hidden
    from reconciler.spec.render import render

    entries, _ = documents(replace(_selection(options), undecrypted=True), os.environ)
    errors = [error for entry in entries for error in entry.errors]
    if errors:
        raise SpecErrors(errors)
    found = [entry.loaded for entry in entries if entry.loaded]
    rendered = [render(hidden(loaded.document, loaded.hidden, REDACTED), fmt) for loaded in found]
    return "---\n".join(rendered) if fmt == "yaml" else "".join(rendered)


def schema() -> str:
    """The JSON Schema of a spec."""
    import json

    from reconciler.spec.editor.json_schema import json_schema

    return json.dumps(json_schema(), indent=2, ensure_ascii=False) + "\n"


def plan(options: Options) -> Report:
    """Forecast every project to its fixed point. Writes nothing anywhere."""
    specs = load_all(options)
    with opened(options, specs.projects, read_only=True) as (session, store):
        limit, adopt = options.max_unavailable, options.adopt
        reports, specs = _each(specs, lambda item: session.plan(item, max_unavailable=limit, adopt=adopt))
        specs = with_notices(specs, store)
    failed = any(not report.converges for report in reports)
    return _report("plan", specs, reports, failed=failed)


def converge(options: Options, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event) -> Report:
    """Converge every project that loads; a project whose forecast does not converge is not touched."""
    specs = load_all(options)
    if specs.errors and options.all_or_nothing:
        return Report("converge", (), warnings=specs.warnings, errors=specs.errors, refused=True)
    reports: list[ProjectReport] = []
    errors: list[Notice] = []
    with opened(options, specs.projects, read_only=False) as (session, store):
        for project in specs.projects:
            if stop.is_set():
                message = f"project {project.name} was not reached before the stop"
                errors.append(Notice("Stopped", message, project.source))
                continue
            try:
                reports.append(_converge(session, project, options, on_plan, on_activity, stop))
            except PolicyError as error:
                specs = _refused(specs, error)
            except SpecError as error:
                specs = _unfit(specs, error)
            except ReconcilerError as error:
                errors.append(Notice(error.code, str(error), project.source))
        specs = with_notices(specs, store)
    failed = bool(errors) or any(not report.succeeded for report in reports)
    specs = replace(specs, errors=(*specs.errors, *errors))
    return _report("converge", specs, reports, failed=failed, refused=len(specs.errors) > len(errors))


def status(options: Options, *, deep: bool = False) -> Report:
    """What runs of each project, compared with its spec; `deep` looks into containers too. Writes nothing."""
    specs = load_all(options)
    with opened(options, specs.projects, read_only=True) as (session, store):
        reports, specs = _each(specs, lambda project: session.status(project, deep=deep))
        specs = with_notices(specs, store)
    return _report("status", specs, reports, failed=False)


def history(options: Options, limit: int) -> History:
    """At most `limit` rollouts and as many actions of each project, or of the services asked for.

    With a project name no spec is read.
    """
    names, specs = _names(options)
    with opened(options, (), read_only=True) as (session, store):
        past = tuple((name, _rollouts(session, name, options.services, limit)) for name in names)
        actions = {name: _actions(session, name, options.services, limit) for name in names}
        specs = with_notices(specs, store)
    return History(past, actions, specs.warnings, specs.errors)


def why(options: Options, service: str) -> Answer:
    """Why a service is as it is. Writes nothing. UsageError where no project has it, or several do."""
    specs = load_all(options, choosing=True)
    project = project_of(specs, options, service)
    with opened(options, (project,), read_only=True) as (session, store):
        explanation = session.explain(project, service)
        specs = with_notices(specs, store)
    return Answer(explanation, specs.warnings, specs.errors)


def retry(options: Options, service: str, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event) -> Report:
    """Lift what keeps a service from being tried again, and converge its project.

    UsageError where no project has it, or several do; ReconcilerError where there is nothing to lift.
    """

    def lift(session: Session, project: Project) -> None:
        if not session.retry(project, service, user_name()):
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
        session.go_back(project, service, revision, user_name())

    report = _act_and_converge(options, service, go_back, on_plan, on_activity, stop)
    return replace(report, projects=tuple(_as_asked(project, service) for project in report.projects))


def _refused(specs: Specs, error: PolicyError) -> Specs:
    """The specs, of which a policy denied a project at its forecast."""
    return replace(specs, errors=(*specs.errors, *policy_notices(error)))


def _as_asked(report: ProjectReport, service: str) -> ProjectReport:
    """The report of a rollback by hand: that the service went back is no trouble then."""
    kept = tuple(item for item in report.conditions if (item.service, item.reason) != (service, "RolledBack"))
    return replace(report, conditions=kept)


def _act_and_converge(
    options: Options, service: str, act: Act, on_plan: OnPlan, on_activity: OnActivity, stop: threading.Event
) -> Report:
    specs = load_all(options, choosing=True)
    project = project_of(specs, options, service)
    if specs.errors and options.all_or_nothing:
        return Report("converge", (), warnings=specs.warnings, errors=specs.errors, refused=True)
    with opened(options, (project,), read_only=False) as (session, store):
        act(session, project)
        report = _converge(session, project, options, on_plan, on_activity, stop)
        specs = with_notices(specs, store)
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


def _each(specs: Specs, make: Callable[[Project], ProjectReport]) -> tuple[list[ProjectReport], Specs]:
    """The report of each project, and the specs with what the engine cannot be asked for."""
    reports: list[ProjectReport] = []
    for project in specs.projects:
        try:
            reports.append(make(project))
        except PolicyError as error:
            specs = _refused(specs, error)
        except SpecError as error:
            specs = _unfit(specs, error)
    return reports, specs


def _unfit(specs: Specs, error: SpecError) -> Specs:
    """The specs, one of which asks for files that the engine cannot be given."""
    return replace(specs, errors=(*specs.errors, *(error_notice(one) for one in flat([error]))))


def _rollouts(session: Session, project: str, services: tuple[str, ...], limit: int) -> tuple[RolloutRecord, ...]:
    """The newest rollouts, the newest last."""
    found = [record for service in services or (None,) for record in session.history(project, service, limit)]
    return tuple(sorted(found, key=lambda record: record.number)[-limit:])


def _actions(session: Session, project: str, services: tuple[str, ...], limit: int) -> tuple[ActionRecord, ...]:
    """What persons asked for last, the newest last; what concerns the whole project once."""
    found = [action for service in services or (None,) for action in session.actions(project, service, limit)]
    return tuple(sorted(dict.fromkeys(found), key=lambda action: action.at)[-limit:])


def _names(options: Options) -> tuple[tuple[str, ...], Specs]:
    if options.project_name:
        return (options.project_name,), Specs((), (), ())
    entries, notices = documents(_selection(options), os.environ)
    errors = flat([error for entry in entries for error in entry.errors])
    specs = Specs((), tuple(notices), tuple(error_notice(error) for error in errors))
    return tuple(entry.loaded.name for entry in entries if entry.loaded), specs


def project_of(specs: Specs, options: Options, service: str) -> Project:
    """The one project that has the service. UsageError where none has it, or several do; SpecErrors from the others."""
    found = [project for project in specs.projects if project.service(service)]
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(project.name for project in found)
        raise UsageError(f"service {service} is in several projects: {names}", hint=f"choose with -p {found[0].name}")
    if specs.errors:
        raise SpecErrors([SpecError(item.message, source=item.source or None, code=item.code) for item in specs.errors])
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
def opened(options: Options, projects: tuple[Project, ...], *, read_only: bool) -> Iterator[tuple[Session, Store]]:
    """The engine and the store of a command; a simulated engine's past is nobody's."""
    from reconciler.opening import open_session
    from reconciler.store import Store

    simulated = options.host == "simulated://"
    place, keyring, kept = _state_dir(options), _keyring(options), options.settings.history
    store = (
        Store.in_memory(kept, keyring)
        if simulated
        else Store.open(place, read_only=read_only, rollouts_kept=kept, keyring=keyring)
    )
    asked = (options.host, options.context, options.instance)
    with store, open_session(*asked, projects, store, options.settings) as session:
        yield session, store


def _state_dir(options: Options) -> Path:
    return Path(options.state_dir or options.settings.state_dir or default_state_dir(os.environ))


def with_notices(specs: Specs, store: Store) -> Specs:
    """The specs with what the store had to say."""
    return replace(specs, warnings=(*specs.warnings, *store.notices))


def load_all(options: Options, *, choosing: bool = False) -> Specs:
    """The projects that the options mean and their policies admit; see `loading.load_specs`."""
    specs = load_specs(_selection(options), os.environ, choosing=choosing)
    return admit(replace(specs, warnings=(*specs.warnings, *_hash_key_notices(options))), policies(options.settings))


def _selection(options: Options) -> Selection:
    return Selection(
        base=str(Path.cwd()),
        files=options.files,
        project_name=options.project_name,
        services=options.services,
        profiles=options.profiles,
        env_files=options.env_files,
        prune=options.prune,
        allow_empty=options.allow_empty,
        keyring=_keyring(options),
    )


def _keyring(options: Options) -> Keyring:
    return Keyring(options.settings.age_identity_file or os.environ.get(SETTING, ""), SETTING)


def _hash_key_notices(options: Options) -> tuple[Notice, ...]:
    """What is to be said of the file of the hash key."""
    path = options.settings.hash_key_file
    return hash_key(path, HASH_KEY)[1] if path else ()
