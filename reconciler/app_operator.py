"""What an operator asks: of the running service, where one listens at the settings' socket, else worked out here."""

from __future__ import annotations

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


def suspend(options: Options, service: str | None, reason: str, *, everything: bool) -> tuple[str, ...]:
    """Have a service, a project or (`everything`) all left alone; what was suspended, as PROJECT or PROJECT/SERVICE."""
    running = _service(options)
    return running.suspend(_project(options, running, service, everything=everything), service, reason)


def resume(options: Options, service: str | None, *, everything: bool) -> tuple[str, ...]:
    """The opposite of `suspend`, with the same names."""
    running = _service(options)
    return running.resume(_project(options, running, service, everything=everything), service)


def _service(options: Options) -> RunningService:
    found = find_service(options.settings.socket)
    if found is None:
        raise _not_running(options)
    return found


def _not_running(options: Options) -> ServiceError:
    hint = "`reconcile serve` starts a service; `reconcile` converges once, without one"
    message = "no service is running: nobody listens here"
    return ServiceError(message, source=options.settings.socket, hint=hint, code="NotRunning")


def _project(options: Options, running: RunningService, service: str | None, *, everything: bool) -> str | None:
    """The project that is meant: the one named, else the only one; None for all, or the one that has the service."""
    if options.project_name or everything or service:
        return options.project_name
    names = [project.name for project in running.status((), (), deep=False).projects]
    if len(names) != 1:
        known = f"the projects are {', '.join(names)}" if names else "the service has no project yet"
        raise UsageError(
            "which project is meant is not said", hint=f"-p NAME chooses one, --all means every one; {known}"
        )
    return names[0]


def _projects(options: Options) -> tuple[str, ...]:
    return (options.project_name,) if options.project_name else ()
