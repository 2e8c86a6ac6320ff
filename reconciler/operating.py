"""What persons ask of a project and look up of its past, whatever runs at that moment. The base of `session`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.model.history import Action, ActionRecord, RolloutRecord
from reconciler.model.memory import Stable
from reconciler.model.origin import Origin
from reconciler.model.project import Project
from reconciler.model.suspension import PROJECT, Suspension

if TYPE_CHECKING:
    from reconciler.store import ProjectStore, Store


class Operated:
    """The store of one instance on one engine, by project. `now` is the engine's time, in seconds since the epoch.

    Nothing here takes a lock or waits for a run: what it writes, a run under way reads before its next pass.
    """

    def __init__(self, store: Store, engine_id: str, instance: str, now: Callable[[], float]) -> None:
        self._store = store
        self._owner = (engine_id, instance)
        self._now = now
        self._projects: dict[str, ProjectStore] = {}

    def history(self, project_name: str, service: str | None, limit: int) -> tuple[RolloutRecord, ...]:
        """The last rollouts of a project, or of one of its services, newest first."""
        return self._kept(project_name).history(service, limit)

    def actions(self, project_name: str, service: str | None, limit: int) -> tuple[ActionRecord, ...]:
        """What persons asked for last, newest first; of one service also what they asked for its whole project."""
        return self._kept(project_name).actions(service, limit)

    def revisions(self, project_name: str, service: str) -> tuple[Stable, ...]:
        """The definitions that a service came up with, oldest first."""
        return self._kept(project_name).revisions(service)

    def record(self, project_name: str, by: str, action: Action, service: str = "", detail: str = "") -> None:
        """Note in the history what a person asked for just now; `service` "" is the whole project."""
        self._kept(project_name).record(ActionRecord(self._now(), by, action, service, detail))

    def suspend(self, project_name: str, service: str | None, reason: str, by: str) -> None:
        """Leave a service, or with None the whole project, as it is, until it is resumed."""
        self._kept(project_name).suspend(service or PROJECT, Suspension(reason, by, self._now()))
        self.record(project_name, by, "suspend", service or PROJECT, reason)

    def resume(self, project_name: str, service: str | None, by: str) -> bool:
        """End what `suspend` began with the same names; whether there was anything to end."""
        ended = self._kept(project_name).resume(service or PROJECT)
        if ended:
            self.record(project_name, by, "resume", service or PROJECT)
        return ended

    def keep_origin(self, project: Project, source: str, files: tuple[str, ...]) -> None:
        """Note that the project was read from these files of that source: what may remove it once it has left there."""
        commit = project.revision.commit if project.revision else ""
        self._kept(project.name).keep_origin(Origin(source, files, project.prune, commit, self._now()))

    def drop_origin(self, project_name: str) -> None:
        """The project is gone: no source has anything to remove any more."""
        self._kept(project_name).drop_origin()

    def suspended(self, project_name: str) -> Mapping[str, Suspension]:
        """What of a project persons have suspended, by service; "" is the whole project."""
        return self._kept(project_name).suspended()

    def _kept(self, project_name: str) -> ProjectStore:
        if project_name not in self._projects:
            self._projects[project_name] = self._store.project(*self._owner, project_name)
        return self._projects[project_name]
