"""What people ask of the running service, answered from what the dispatcher knows, or asked of it: `Operations`."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from concurrent.futures import Future
from dataclasses import replace
from typing import TYPE_CHECKING, TypeVar

from reconciler.errors import ReconcilerError, UsageError
from reconciler.model.project import Notice, Project
from reconciler.model.report import Activity, Answer, History, ProjectReport, Report
from reconciler.operating import emptied
from reconciler.service.dispatcher import Dispatcher
from reconciler.service.feeds import Feed
from reconciler.service.fleet import Member
from reconciler.service.keeper import Act, Keeper, Waiter
from reconciler.service.mail import Asked

if TYPE_CHECKING:
    from reconciler.session import Session

OnActivity = Callable[[Activity], None]
Names = tuple[str, ...]
Found = TypeVar("Found")
SOON = 0.05
ANSWER_SECONDS = 30.0


class Desk:
    """Answers from any thread. What concerns the dispatcher's state is done on its thread, which never waits for it."""

    def __init__(
        self, dispatcher: Dispatcher, post: Callable[[Asked], None], sessions: Callable[[str], Session]
    ) -> None:
        self._dispatcher = dispatcher
        self._post = post
        self._sessions = sessions

    def status(self, projects: Names, services: Names, *, deep: bool) -> Report:
        """What runs, as the last pass found it; `deep` looks again, and into containers too."""
        chosen = self._there(lambda: self._chosen(projects))
        reports = [self._deep(project) if deep else report for project, report in chosen]
        found = tuple(_only(report, services) for report in reports)
        return self._there(lambda: self._report("status", found))

    def history(self, projects: Names, services: Names, limit: int) -> History:
        """The last rollouts of each project, the newest last."""
        names = self._there(lambda: [project.name for project, _ in self._chosen(projects)])
        past, actions = [], {}
        for name in names:
            session = self._sessions(name)
            found = [item for one in services or (None,) for item in session.history(name, one, limit)]
            past.append((name, tuple(sorted(found, key=lambda item: item.number)[-limit:])))
            told = [item for one in services or (None,) for item in session.actions(name, one, limit)]
            actions[name] = tuple(sorted(dict.fromkeys(told), key=lambda item: item.at)[-limit:])
        return History(tuple(past), actions)

    def why(self, service: str, project: str | None) -> Answer:
        """Why a service is as it is."""
        member = self._there(lambda: self._member(service, project))
        explanation = self._sessions(member.project.name).explain(member.project, service)
        errors = self._there(lambda: self._dispatcher.fleet.errors_of(member.project.name))
        return Answer(explanation, errors=errors)

    def suspend(self, project: str | None, service: str | None, reason: str, by: str) -> Names:
        """Leave it alone from the next pass on; a rollout of it that is under way ends where it is."""
        names = self._there(lambda: self._names(project, service, self._having))
        return self._each(names, service, lambda session, name: session.suspend(name, service, reason, by))

    def resume(self, project: str | None, service: str | None, by: str) -> Names:
        """Look after it again; also after what keeps a project from going that left its source."""
        names = self._there(lambda: self._names(project, service, self._having_or_held))
        return self._each(names, service, lambda session, name: session.resume(name, service, by))

    def sync(self, projects: Names, by: str, on_activity: OnActivity) -> Report:
        """Ask all sources, then compare and converge the projects; how that ended."""
        asked = self._there(self._ask_sources)
        while not self._there(lambda: all(feed.answers > before for feed, before in asked)):
            time.sleep(SOON)
        names = self._there(lambda: [project.name for project, _ in self._chosen(projects)])
        for name in names:
            self._sessions(name).record(name, by, "sync")
        return self._wait_for(self._there(lambda: [self._ask(name, on_activity, "sync") for name in names]))

    def retry(self, service: str, project: str | None, by: str, on_activity: OnActivity) -> Report:
        """Try again what was given up for a service."""

        def lift(session: Session, found: Project) -> None:
            if not session.retry(found, service, by):
                message = f"there is nothing to retry: service {service} of project {found.name} is not held back"
                raise ReconcilerError(message, hint=f"reconcile why {service} says how it is", code="NothingToRetry")

        return self._act(service, project, lift, on_activity, "retry")

    def rollback(
        self, service: str, project: str | None, revision: int | None, by: str, on_activity: OnActivity
    ) -> Report:
        """Take a service back to a revision (None: the one before)."""

        def go_back(session: Session, found: Project) -> None:
            session.go_back(found, service, revision, by)

        return self._act(service, project, go_back, on_activity, "rollback")

    def _act(self, service: str, project: str | None, act: Act, on_activity: OnActivity, reason: str) -> Report:
        def ask() -> list[tuple[Keeper, Waiter]]:
            name = self._member(service, project).project.name
            self._dispatcher.keeper(name).actions.append(act)
            return [self._ask(name, on_activity, reason)]

        return self._wait_for(self._there(ask))

    def _ask(self, name: str, on_activity: OnActivity, reason: str) -> tuple[Keeper, Waiter]:
        keeper, waiter = self._dispatcher.keeper(name), Waiter(on_activity)
        keeper.waiting.append(waiter)
        self._dispatcher.ask_for(name, reason)
        return keeper, waiter

    def _wait_for(self, waiters: list[tuple[Keeper, Waiter]]) -> Report:
        reports, errors = [], []
        for keeper, waiter in waiters:
            waiter.done.wait()
            if waiter.report:
                reports.append(waiter.report)
            if isinstance(waiter.error, ReconcilerError):
                if len(waiters) == 1:
                    raise waiter.error
                errors.append(Notice(waiter.error.code, str(waiter.error), keeper.name))
            elif waiter.error:
                raise ReconcilerError(f"internal error: {type(waiter.error).__name__}", code="Internal")
        report = self._there(lambda: self._report("converge", tuple(reports)))
        failed = bool(errors) or any(not item.succeeded for item in reports)
        return replace(report, errors=(*report.errors, *errors), failed=failed)

    def _ask_sources(self) -> list[tuple[Feed, int]]:
        feeds = self._dispatcher.feeds
        asked = [(feed, feed.answers) for feed in feeds.all.values()]
        for name in feeds.all:
            feeds.ask(name)
        return asked

    def _each(self, names: list[str], service: str | None, act: Callable[[Session, str], object]) -> Names:
        for name in names:
            act(self._sessions(name), name)
        self._there(lambda: self._dispatcher.ask_for_all(names, "asked to"))
        return tuple(f"{name}/{service}" if service else name for name in names)

    def _names(self, project: str | None, service: str | None, having: Callable[[str], set[str]]) -> list[str]:
        if service is not None:
            return [_only_one(having(service), service, project)]
        return [found.name for found, _ in self._chosen((project,) if project else ())]

    def _there(self, call: Callable[[], Found]) -> Found:
        """What the call gives on the dispatcher's thread."""
        reply: Future[Found] = Future()

        def answer() -> None:
            try:
                reply.set_result(call())
            except Exception as error:  # noqa: BLE001 - it is raised again where somebody waits for it
                reply.set_exception(error)

        self._post(Asked(answer))
        try:
            return reply.result(ANSWER_SECONDS)
        except TimeoutError as error:
            raise ReconcilerError("the service does not answer: it is stopping", code="Stopping") from error

    def _chosen(self, names: Iterable[str]) -> list[tuple[Project, ProjectReport]]:
        members = self._dispatcher.fleet.members
        known = {item.name: _leaving(item) for item in self._dispatcher.keepers.values() if item.leaving}
        known |= {name: (item.project, self._report_of(item)) for name, item in members.items()}
        wanted = tuple(names) or tuple(sorted(known))
        unknown = next((name for name in wanted if name not in known), None)
        if unknown is not None:
            raise UsageError(f"there is no project {unknown}", hint=f"the projects are {', '.join(sorted(known))}")
        return [known[name] for name in wanted]

    def _having(self, service: str) -> set[str]:
        """The projects in force that have this service."""
        return {name for name, item in self._dispatcher.fleet.members.items() if item.project.service(service)}

    def _having_or_held(self, service: str) -> set[str]:
        """And those that left their source and that this suspended service keeps from going."""
        leaving = (item for item in self._dispatcher.keepers.values() if item.leaving)
        return self._having(service) | {item.name for item in leaving if _suspends(item.report, service)}

    def _report_of(self, member: Member) -> ProjectReport:
        name = member.project.name
        keeper = self._dispatcher.keepers.get(name)
        report = keeper.report if keeper else None
        report = report or ProjectReport(name, None, source=member.project.source)
        report = replace(report, revision=member.project.revision)
        if keeper and keeper.live:
            report = replace(report, services=keeper.live)
        return report

    def _member(self, service: str, project: str | None) -> Member:
        return self._dispatcher.fleet.members[_only_one(self._having(service), service, project)]

    def _report(self, command: str, projects: tuple[ProjectReport, ...]) -> Report:
        dispatcher = self._dispatcher
        failing = [(name, feed.error) for name, feed in dispatcher.feeds.all.items() if feed.error]
        errors = [Notice(error.code, f"source {name}: {error.message}", error.source or "") for name, error in failing]
        errors += dispatcher.fleet.errors
        errors += [error for keeper in dispatcher.keepers.values() for error in keeper.errors]
        refused = any(keeper.state == "refused" for keeper in dispatcher.keepers.values())
        if dispatcher.engine.error:
            errors.append(Notice("EngineUnreachable", dispatcher.engine.error))
        warnings = (*dispatcher.fleet.notices, *(notice for item in projects for notice in item.notices))
        return Report(
            command,  # type: ignore[arg-type]
            projects,
            warnings=tuple(dict.fromkeys(warnings)),
            errors=tuple(dict.fromkeys(errors)),
            refused=refused or dispatcher.fleet.unread,
            failed=bool(dispatcher.engine.error),
        )

    def _deep(self, project: Project) -> ProjectReport:
        return self._sessions(project.name).status(project, deep=True)


def _leaving(keeper: Keeper) -> tuple[Project, ProjectReport]:
    """A project that left its source and is not gone yet."""
    message = f"project {keeper.name} left its source: what is still there of it goes once nothing holds it"
    project = replace(emptied(keeper.name), source=keeper.source)
    report = keeper.report or ProjectReport(keeper.name, None, source=keeper.source)
    notice = Notice("LeftSource", message, keeper.source)
    return project, replace(report, revision=None, notices=(*report.notices, notice))


def _only_one(having: set[str], service: str, project: str | None) -> str:
    """The one of the projects that have a service, or the chosen one. UsageError where that is none or several."""
    found = sorted(name for name in having if project in {None, name})
    if len(found) == 1:
        return found[0]
    if found:
        raise UsageError(f"service {service} is in several projects: {', '.join(found)}", hint="choose with -p")
    where = f" in project {project}" if project else ""
    raise UsageError(f"there is no service {service}{where}")


def _suspends(report: ProjectReport | None, service: str) -> bool:
    return report is not None and any(
        (item.reason, item.service) == ("Suspended", service) for item in report.conditions
    )


def _only(report: ProjectReport, services: Names) -> ProjectReport:
    if not services:
        return report
    return replace(report, services=tuple(item for item in report.services if item.name in services))
