"""The work of the service: comparing a project with the engine, and doing what is to be done. Runs in worker threads.

One session for each project, which lives as long as the project is served.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from dataclasses import replace
from time import monotonic
from typing import TYPE_CHECKING, Any

from reconciler.listeners import Silence
from reconciler.model.project import Project
from reconciler.model.report import Activity
from reconciler.model.step import Step
from reconciler.service.fleet import Member
from reconciler.service.keeper import Keeper, is_removed
from reconciler.service.mail import Collected, EngineLooked, Looked, Rolled

if TYPE_CHECKING:
    from reconciler.model.settings import Settings
    from reconciler.session import Session


class Passes:
    """Implements `work.Work`.

    `open_session` opens a project's session, `look` looks at the whole engine, `wake` ends the wait of a project's
    rollout, `known` is as there, `dismiss` hears of a project that is nobody's any more, `clock` gives the engine's
    time.
    """

    def __init__(
        self,
        open_session: Callable[[str], Session],
        look: Callable[[], frozenset[str]],
        wake: Callable[[str], None],
        known: Callable[[str], Mapping[str, tuple[str, ...]]],
        dismiss: Callable[[str], None],
        clock: Callable[[], float],
        settings: Settings,
        log: Any,
    ) -> None:
        self._open_session = open_session
        self._look = look
        self._wake = wake
        self._known = known
        self._dismiss = dismiss
        self._clock = clock
        self._settings = settings
        self._log = log
        self._sessions: dict[str, Session] = {}
        self._opening = threading.Lock()

    def look(self, keeper: Keeper, member: Member | None, reasons: tuple[str, ...]) -> Looked:
        """Compare a project with the engine; without a member it is one that left its source."""
        from reconciler.operating import emptied

        began = monotonic()
        self._log.debug("pass begins", project=keeper.name, **{"pass": keeper.pass_id}, because=list(reasons))
        try:
            session = self.session(keeper.name)
            project = member.project if member else replace(emptied(keeper.name), source=keeper.source)
            for act in keeper.take_actions():
                act(session, project)
            most = self._settings.max_unavailable
            forecast = session.prepare(project, max_unavailable=most, full=keeper.full, keep_up=True)
            times = (forecast.first.wake_at, forecast.first.retry_at, self._image_check(project, self._clock()))
            report, work = forecast.report, None if forecast.first.empty else forecast
            if work is None:
                report = session.carry_out(forecast, keeper.activity, keeper.stop.is_set, None)
            if member:
                session.keep_origin(project, member.source, member.files)
            elif work is None and is_removed(report):
                session.note_gone(keeper.name)
            return Looked(keeper.name, keeper.pass_id, monotonic() - began, report, work, _earliest(*times))
        except Exception as error:  # noqa: BLE001 - the edge of a thread: the dispatcher tells it
            return Looked(keeper.name, keeper.pass_id, monotonic() - began, error=error)

    def roll(self, keeper: Keeper, looked: Looked) -> Rolled:
        """Do what a look found to be done."""
        began = monotonic()
        log = self._log.bind(**{"pass": looked.pass_id}, project=keeper.name)

        def heard(activity: Activity) -> None:
            _tell(log, activity)
            keeper.activity(activity)

        try:
            assert looked.forecast is not None  # noqa: S101 - the dispatcher has seen to it
            session = self.session(keeper.name)
            report = session.carry_out(
                looked.forecast, heard, keeper.stop.is_set, self._settings.timeout, _Live(keeper)
            )
            return Rolled(keeper.name, looked.pass_id, monotonic() - began, report)
        except Exception as error:  # noqa: BLE001 - as above
            return Rolled(keeper.name, looked.pass_id, monotonic() - began, error=error)

    def look_at_engine(self) -> EngineLooked:
        """See what changed on the whole engine since the last time."""
        try:
            return EngineLooked(self._look())
        except Exception as error:  # noqa: BLE001 - as above
            return EngineLooked(error=error)

    def collect(self, members: tuple[Member, ...], *, unread: bool) -> Collected:
        """Remove what was superseded: images of this instance's projects."""
        try:
            session = self.session(members[0].project.name) if members else None
            if session is None:
                return Collected()
            found = session.collect(tuple(item.project for item in members), unread=unread, dry_run=False)
            return Collected(sum(verdict.goes for verdict in found.verdicts))
        except Exception as error:  # noqa: BLE001 - as above
            return Collected(error=error)

    def wake(self, project: str) -> None:
        """End the waiting of a project's rollout, which then sees that it is to stop."""
        self._wake(project)

    def known(self, source: str) -> Mapping[str, tuple[str, ...]]:
        """The projects that the source had in earlier lives and that may be removed with their files, with those."""
        return self._known(source)

    def drop(self, project: str) -> None:
        """Nobody serves the project any more."""
        with self._opening:
            session = self._sessions.pop(project, None)
        if session:
            session.__exit__(None)
            self._dismiss(project)

    def close(self) -> None:
        """Close all sessions."""
        for name in list(self._sessions):
            self.drop(name)

    def session(self, project: str) -> Session:
        """The session of a project, opened where it is not yet."""
        with self._opening:
            if project not in self._sessions:
                self._sessions[project] = self._open_session(project)
            return self._sessions[project]

    def _image_check(self, project: Project, now: float) -> float | None:
        """When registries are to be asked again, None for a project that follows none."""
        asked = any(
            service.image.may_be_asked_for
            and (service.image.following.track != "none" or service.image.pull_policy in {"always", "timed"})
            for service in project.services
        )
        return now + self._settings.image_checks if asked else None


class _Live(Silence):
    """Keeps how the services are while they are rolled out."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def planned(self, step: Step) -> None:
        """Take over what the pass saw."""
        self._keeper.live = step.services


def _earliest(*times: float | None) -> float | None:
    return min((time for time in times if time is not None), default=None)


def _tell(log: Any, activity: Activity) -> None:
    """One line for each operation that ended, and for each that failed; what is waited for only at debug."""
    operation = activity.operation
    told = {"service": activity.service} if activity.service else {}
    if operation is None or activity.state in {"started", "progress"}:
        log.debug(activity.state, text=activity.text, **told)
    elif activity.state == "failed":
        log.warning(
            "operation failed", operation=operation.kind, resource=operation.resource, error=activity.text, **told
        )
    else:
        causes = [f"{item.field} ({item.source})" if item.source else item.field for item in operation.cause]
        log.info("operation", operation=operation.kind, resource=operation.resource, cause=causes, **told)
