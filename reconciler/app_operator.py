"""What an operator asks: of the running service, where one listens at the settings' socket, else worked out here."""

from __future__ import annotations

from getpass import getuser

from reconciler import app
from reconciler.app import OnActivity, Options
from reconciler.errors import UsageError
from reconciler.model.report import Answer, History, Report
from reconciler.service.client import RunningService, find_service
from reconciler.service.messages import ServiceError


def running_service(options: Options, *, demanded: bool) -> RunningService | None:
    """The service at the settings' socket, None where none listens there. ServiceError where one was `demanded`."""
    return _service(options) if demanded else find_service(options.settings.socket)


def status(options: Options, service: RunningService | None, *, deep: bool) -> Report:
    """As `app.status`."""
    if service:
        return service.status(_projects(options), options.services, deep=deep)
    return app.status(options, deep=deep)


def history(options: Options, service: RunningService | None, limit: int) -> History:
    """As `app.history`."""
    if service:
        return service.history(_projects(options), options.services, limit)
    return app.history(options, limit)


def why(options: Options, service: RunningService | None, name: str) -> Answer:
    """As `app.why`."""
    return service.why(name, options.project_name) if service else app.why(options, name)


def sync(options: Options, projects: tuple[str, ...], on_activity: OnActivity) -> Report:
    """Have the running service read its sources and converge now. ServiceError where none runs."""
    return _service(options).sync(projects, on_activity)


def suspend(
    options: Options, running: RunningService | None, service: str | None, reason: str, *, everything: bool
) -> tuple[str, ...]:
    """Have a service, a project or (`everything`) all left alone; what was suspended, as PROJECT or PROJECT/SERVICE.

    Without a running service the next run heeds it. UsageError where it is not said which project is meant.
    """
    if running:
        return running.suspend(_asked_for(options, running, service, everything=everything), service, reason)
    names = _meant_here(options, service, everything=everything)
    with app.opened(options, (), read_only=False) as (session, _):
        for name in names:
            session.suspend(name, service, reason, getuser())
    return tuple(_named(name, service) for name in names)


def resume(
    options: Options, running: RunningService | None, service: str | None, *, everything: bool
) -> tuple[str, ...]:
    """The opposite of `suspend`, with the same names; what was suspended."""
    if running:
        return running.resume(_asked_for(options, running, service, everything=everything), service)
    names = _meant_here(options, service, everything=everything)
    with app.opened(options, (), read_only=False) as (session, _):
        ended = [name for name in names if session.resume(name, service, getuser())]
    return tuple(_named(name, service) for name in ended)


def _service(options: Options) -> RunningService:
    found = find_service(options.settings.socket)
    if found is None:
        raise _not_running(options)
    return found


def _not_running(options: Options) -> ServiceError:
    hint = "`reconcile serve` starts a service; `reconcile` converges once, without one"
    message = "no service is running: nobody listens here"
    return ServiceError(message, source=options.settings.socket, hint=hint, code="NotRunning")


def _asked_for(options: Options, running: RunningService, service: str | None, *, everything: bool) -> str | None:
    """The project named, else the only one; None for all, or for the one that has the service."""
    if options.project_name or everything or service:
        return options.project_name
    return _only([project.name for project in running.status((), (), deep=False).projects])


def _meant_here(options: Options, service: str | None, *, everything: bool) -> tuple[str, ...]:
    """The project named, for which no spec is read, else those of the specs."""
    if options.project_name:
        return (options.project_name,)
    specs = app.load_all(options, choosing=True)
    if service:
        return (app.project_of(specs, options, service).name,)
    names = [project.name for project in specs.projects]
    return tuple(names) if everything else (_only(names),)


def _only(names: list[str]) -> str:
    if len(names) != 1:
        known = f"the projects are {', '.join(names)}" if names else "there is no project"
        raise UsageError(
            "which project is meant is not said", hint=f"-p NAME chooses one, --all means every one; {known}"
        )
    return names[0]


def _named(project: str, service: str | None) -> str:
    return f"{project}/{service}" if service else project


def _projects(options: Options) -> tuple[str, ...]:
    return (options.project_name,) if options.project_name else ()
