"""What an instance remembers of its projects on one engine, from pass to pass and run to run. Used by `session`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.model.memory import Memory, Stable

if TYPE_CHECKING:
    from reconciler.store import ProjectStore, Store


class Remembering:
    """The store of one instance on one engine."""

    def __init__(self, store: Store, engine_id: str, instance: str) -> None:
        self._store = store
        self._engine_id = engine_id
        self._instance = instance

    def kept(self, project_name: str) -> ProjectStore:
        """What is kept of a project."""
        return self._store.project(self._engine_id, self._instance, project_name)

    def memory(self, project_name: str) -> Memory:
        """What a run knows when it begins: the failures known by now are in quarantine, revisions are numbered."""
        kept = self.kept(project_name)
        memory = kept.load()
        failed = {service for service, _ in memory.failures} & memory.stable.keys()
        numbered = {name: _numbered(kept, memory.stable[name]) for name in failed}
        quarantined = frozenset(memory.failures)
        return replace(memory, stable={**memory.stable, **numbered}, quarantined=quarantined, earlier=memory.attempted)

    def keep_sightings(self, project_name: str, memory: Memory) -> None:
        """Remember what registries said, whether or not anything comes of it: cooldowns begin with it."""
        kept = self.kept(project_name)
        known = kept.load()
        kept.save(replace(known, sightings=memory.sightings, verified=memory.verified, compared=memory.compared))

    def projects(self) -> tuple[str, ...]:
        """The names of the projects of which something is kept."""
        return self._store.projects(self._engine_id, self._instance)

    def others(self) -> tuple[tuple[str, ProjectStore], ...]:
        """What other instances keep on this engine; see `Store.others`."""
        return self._store.others(self._engine_id, self._instance)


def _numbered(kept: ProjectStore, stable: Stable) -> Stable:
    """The definition with the number of the revision that it is."""
    same = (item.revision for item in kept.revisions(stable.service.name) if item.spec_hash == stable.spec_hash)
    return replace(stable, revision=max(same, default=stable.revision))
