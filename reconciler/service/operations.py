"""What people may ask of the running service: the control socket calls it, the service itself carries it out."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from reconciler.model.report import Activity, Answer, History, Report

OnActivity = Callable[[Activity], None]
Names = tuple[str, ...]


class Operations(Protocol):
    """Called from several threads at once. `()` and None mean all projects or services, or the only one that fits.

    Every one may raise a ReconcilerError, which the asker sees as it is. `by` is the asker's user name. `on_activity`
    never raises and never waits: an asker who went away or does not listen costs the work nothing.
    """

    def status(self, projects: Names, services: Names, *, deep: bool) -> Report:
        """What runs; `deep` looks into containers too."""
        ...

    def history(self, projects: Names, services: Names, limit: int) -> History:
        """At most `limit` rollouts of each project, the newest last."""
        ...

    def why(self, service: str, project: str | None) -> Answer:
        """Why a service is as it is. UsageError where no project has it, or several do."""
        ...

    def suspend(self, project: str | None, service: str | None, reason: str, by: str) -> Names:
        """Leave a service, a project or (both None) everything alone; what was suspended, as PROJECT[/SERVICE]."""
        ...

    def resume(self, project: str | None, service: str | None, by: str) -> Names:
        """Look after a service, a project or (both None) everything again; what was resumed, as PROJECT[/SERVICE]."""
        ...

    def sync(self, projects: Names, by: str, on_activity: OnActivity) -> Report:
        """Read the sources and converge now; how that ended."""
        ...

    def retry(self, service: str, project: str | None, by: str, on_activity: OnActivity) -> Report:
        """Try again what was given up for a service; how that ended."""
        ...

    def rollback(
        self, service: str, project: str | None, revision: int | None, by: str, on_activity: OnActivity
    ) -> Report:
        """Take a service back to a revision (None: the one before); how that ended."""
        ...
