"""A small service behind a control socket: it answers with what it was given, and notes what it was asked."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from reconciler.errors import UsageError
from reconciler.model.report import Activity, Answer, History, Report

if TYPE_CHECKING:
    from reconciler.service.operations import Names, OnActivity


@dataclass
class SmallService:
    """Knows a report, a history and an answer. Those who act wait for `gate`, which is open to begin with."""

    report: Report = field(default_factory=lambda: Report("status"))
    past: History = field(default_factory=lambda: History(()))
    answer: Answer | None = None
    activities: tuple[Activity, ...] = ()
    asked: list[tuple[Any, ...]] = field(default_factory=list)
    suspended: list[str] = field(default_factory=list)
    gate: threading.Event = field(default_factory=threading.Event)

    def __post_init__(self) -> None:
        self.gate.set()

    def status(self, projects: Names, services: Names, *, deep: bool) -> Report:
        """What it knows."""
        self.asked.append(("status", projects, services, deep))
        return self.report

    def history(self, projects: Names, services: Names, limit: int) -> History:
        """What it knows."""
        self.asked.append(("history", projects, services, limit))
        return self.past

    def why(self, service: str, project: str | None) -> Answer:
        """What it knows; an error where that is nothing."""
        self.asked.append(("why", service, project))
        if self.answer is None:
            raise UsageError(f"there is no service {service}", hint="the services are none")
        return self.answer

    def suspend(self, project: str | None, service: str | None, reason: str, by: str) -> Names:
        """Everything that was suspended so far."""
        self.asked.append(("suspend", project, service, reason, by))
        self.suspended.append("/".join(name for name in (project or "everything", service) if name))
        return tuple(self.suspended)

    def resume(self, project: str | None, service: str | None, by: str) -> Names:
        """Everything that was suspended."""
        self.asked.append(("resume", project, service, by))
        resumed, self.suspended = tuple(self.suspended), []
        return resumed

    def sync(self, projects: Names, by: str, on_activity: OnActivity) -> Report:
        """Tell of the activities, wait for the gate, give the report."""
        self.asked.append(("sync", projects, by))
        return self._act(on_activity)

    def retry(self, service: str, project: str | None, by: str, on_activity: OnActivity) -> Report:
        """As `sync`."""
        self.asked.append(("retry", service, project, by))
        return self._act(on_activity)

    def rollback(
        self, service: str, project: str | None, revision: int | None, by: str, on_activity: OnActivity
    ) -> Report:
        """As `sync`."""
        self.asked.append(("rollback", service, project, revision, by))
        return self._act(on_activity)

    def _act(self, on_activity: OnActivity) -> Report:
        for activity in self.activities:
            on_activity(activity)
        self.gate.wait()
        return self.report
