"""What is kept of projects, and what persons ask of them and look up of their past. The base of `session`."""

from __future__ import annotations

import os
import pwd
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING

from reconciler.model.history import Action, ActionRecord, RolloutRecord
from reconciler.model.memory import Memory, Stable
from reconciler.model.observed import Observed
from reconciler.model.origin import Origin
from reconciler.model.project import Project
from reconciler.model.suspension import PROJECT, Suspension
from reconciler.model.tidying import known_services, tidied

if TYPE_CHECKING:
    from reconciler.store import ProjectStore, Store


GONE_KEPT_SECONDS = 90 * 86_400.0


def user_name(environment: Mapping[str, str] = os.environ) -> str:
    """Who is at work here: the user of this process, or the one who became root by sudo."""
    try:
        own = pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        own = f"uid {os.getuid()}"
    return environment.get("SUDO_USER", own) if own == "root" else own


def emptied(project_name: str) -> Project:
    """The project with nothing left in it, as a person or its source wants it."""
    return Project(project_name, (), prune=True, allow_empty=True)


class Operated:
    """The store of one instance on one engine, by project. `now` is the engine's time, in seconds since the epoch.

    What persons ask takes no lock and waits for no run: one that is under way reads it before its next pass.
    """

    def __init__(self, store: Store, engine_id: str, instance: str, now: Callable[[], float]) -> None:
        self._store = store
        self._owner = (engine_id, instance)
        self._now = now

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

    def keep_down(self, project_name: str, by: str) -> bool:
        """Suspend a project that a source brought here, and would bring back; whether there was such a one."""
        origin = self._kept(project_name).origin()
        if origin is None or origin.left:
            return False
        self.suspend(project_name, None, f"taken down, and source {origin.source} still has it", by)
        return True

    def suspended(self, project_name: str) -> Mapping[str, Suspension]:
        """What of a project persons have suspended, by service; "" is the whole project."""
        return self._kept(project_name).suspended()

    def _kept(self, project_name: str) -> ProjectStore:
        return self._store.project(*self._owner, project_name)

    def note_gone(self, project_name: str) -> None:
        """Note that a project is gone, and forget those that have been for long."""
        self._kept(project_name).gone(self._now())
        self._store.forget_gone(self._now() - GONE_KEPT_SECONDS)

    def _memories(self) -> dict[str, Memory]:
        """What is kept of every project."""
        return {name: self._kept(name).load() for name in self._store.projects(*self._owner)}

    def _tidied(self, memory: Memory, observed: Observed, project: Project) -> Memory:
        """The memory without what belongs to nothing; what a service can go back to outlives it for a while."""
        kept, known = self._kept(project.name), known_services(project, observed)
        if project.services:
            kept.forget_gone_services(known)
        return tidied(memory, project, observed, known | set(kept.services()))
