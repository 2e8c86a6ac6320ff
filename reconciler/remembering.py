"""What an instance remembers of its projects on one engine, from pass to pass and run to run. Used by `session`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from reconciler.model.memory import Failure, Memory, Stable

if TYPE_CHECKING:
    from reconciler.store import ProjectStore, Store


@dataclass(frozen=True)
class _Denied:
    """What the policy denied of a project: definitions, and operations by id with what it said of each."""

    failures: Mapping[tuple[str, str], Failure] = field(default_factory=dict)
    operations: Mapping[str, str] = field(default_factory=dict)

    def without(self, service: str) -> _Denied:
        """The rest, without that service's."""
        failures = {key: failure for key, failure in self.failures.items() if key[0] != service}
        operations = {key: text for key, text in self.operations.items() if f":{service}/" not in key}
        return _Denied(failures, operations)


class Remembering:
    """The store of one instance on one engine."""

    def __init__(self, store: Store, engine_id: str, instance: str) -> None:
        self._store = store
        self._engine_id = engine_id
        self._instance = instance
        self._denied: dict[str, _Denied] = {}

    def kept(self, project_name: str) -> ProjectStore:
        """What is kept of a project."""
        return self._store.project(self._engine_id, self._instance, project_name)

    def memory(self, project_name: str) -> Memory:
        """What a run knows when it begins: the failures known by now are in quarantine, revisions are numbered.

        What the policy denied of it is known, too, and is in no quarantine.
        """
        kept = self.kept(project_name)
        memory = kept.load()
        failed = {service for service, _ in memory.failures} & memory.stable.keys()
        numbered = {name: _numbered(kept, memory.stable[name]) for name in failed}
        quarantined, denied = frozenset(memory.failures), self._denied.get(project_name, _Denied())
        memory = replace(
            memory,
            failures={**memory.failures, **denied.failures},
            failed_operations=denied.operations,
            refused=frozenset(denied.operations.values()),
        )
        return replace(memory, stable={**memory.stable, **numbered}, quarantined=quarantined, earlier=memory.attempted)

    def keep_denied(self, project_name: str, memory: Memory) -> None:
        """Remember what the policy denied while this process lives: the next one may have another policy.

        Definitions, and what is done with containers: of one in force only this is denied. Its id tells its definition.
        """
        operations = {key: text for key, text in memory.refused_operations.items() if not key.startswith("image.")}
        self._denied[project_name] = _Denied(memory.denied, operations)

    def lift(self, project_name: str, service: str) -> bool:
        """Forget what the policy denied of a service; whether there was anything."""
        known = self._denied.get(project_name, _Denied())
        self._denied[project_name] = known.without(service)
        return self._denied[project_name] != known

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
