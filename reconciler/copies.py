"""When a copy of a repository's file is needed no more: what containers mount and what a rollback could go back to."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from reconciler.files.keeping import collect, in_use
from reconciler.model.observed import Observed
from reconciler.model.project import Project

if TYPE_CHECKING:
    from reconciler.store import ProjectStore


def drop_copies(data_dir: str, kept: ProjectStore, project: Project, observed: Observed) -> tuple[str, ...]:
    """Remove the copies of the project that nothing needs; their digests. For after a pass, under the project's lock.

    Needed is what a container mounts, in whatever state, what the spec asks for, and what a remembered definition or a
    container of a literal name mounts. OSError where one cannot be removed.
    """
    if not data_dir or not Path(data_dir, project.name).is_dir():
        return ()
    memory = kept.load()
    revisions = (stable.service for name in kept.services() for stable in kept.revisions(name))
    services = (*project.services, *revisions, *(stable.service for stable in memory.stable.values()))
    return collect(data_dir, project.name, in_use((*observed.containers, *memory.removed.values()), services))
