"""Volumes, looked at and, when a person asks for it by name, removed. The loop never comes here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, ExitStack
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from reconciler.engine.times import seconds
from reconciler.errors import EngineError, PolicyError, ReconcilerError
from reconciler.executor import SessionExecutor, execute
from reconciler.model import labels
from reconciler.model.observed import json_value
from reconciler.model.operation import Difference, Operation
from reconciler.model.volumes import VolumeRow, refusal
from reconciler.observation import our_rows, row_name
from reconciler.observer import inspect_or_none

if TYPE_CHECKING:
    from reconciler.engine.protocol import Engine
    from reconciler.model.memory import Memory

ANONYMOUS_DIGITS = 64
LIVE = {"running", "paused", "restarting"}
BY_HAND = "asked for by hand"
Lock = Callable[[str, str], AbstractContextManager[None]]
Row = Mapping[str, Any]


class VolumeRefusedError(ReconcilerError):
    """A volume that may not be removed was named: none of those that were named is removed."""

    code = "VolumeRefused"


class Volumes:
    """The volumes of an engine, as one instance sees them. `remembered` has what it keeps of its projects, by name."""

    def __init__(
        self,
        engine: Engine,
        executor: SessionExecutor,
        lock: Lock,
        instance: str,
        remembered: Callable[[], Mapping[str, Memory]],
    ) -> None:
        self._engine = engine
        self._executor = executor
        self._lock = lock
        self._instance = instance
        self._remembered = remembered

    def rows(self) -> tuple[VolumeRow, ...]:
        """All volumes, ours first, by project and name. Asks the engine for their sizes, which may take a while."""
        containers = self._engine.list_containers()
        found = self._engine.volume_usage()
        owners, users = self._owners(containers), _users(containers)
        ended = self._ended(container for items in users.values() for container in items)
        rows = (self._row(raw, owners, users.get(raw["Name"], []), ended) for raw in found)
        return tuple(sorted(rows, key=lambda row: (not row.ours, row.project, row.name)))

    def named(self, names: Iterable[str]) -> tuple[VolumeRow, ...]:
        """The volumes of these names, in their order. VolumeRefusedError where one does not exist, or may not go."""
        known = {row.name: row for row in self.rows()}
        wanted = list(dict.fromkeys(names))
        lost = [f"there is no volume {name}" for name in wanted if name not in known]
        refused = [*lost, *(words for name in wanted if name in known and (words := refusal(known[name])))]
        if refused:
            raise VolumeRefusedError("; ".join(refused), hint="nothing was removed; `reconcile volumes` lists them")
        return tuple(known[name] for name in wanted)

    def remove(self, names: Collection[str]) -> tuple[VolumeRow, ...]:
        """Remove these volumes with all that is in them, each looked at again right before; what was removed.

        Holds the locks of their projects. VolumeRefusedError as `named`, before anything is removed, or where the
        engine refuses one; it says what is gone by then.
        """
        with ExitStack() as locks:
            for project in sorted({row.project for row in self.named(names) if row.project}):
                locks.enter_context(self._lock(self._engine.info().id, project))
            rows = self.named(names)
            for number, row in enumerate(rows):
                error = execute(self._engine, removal(row), _ignore, self._executor.now, _unjudged).error
                if error:
                    raise _stopped(error, rows[:number])
            return rows

    def _owners(self, containers: list[dict[str, Any]]) -> dict[str, tuple[str, tuple[str, ...]]]:
        """Project and slots (`web/1`) by volume, as far as our containers and what is remembered of slots tell."""
        remembered = self._remembered()
        found: dict[str, set[tuple[str, str]]] = defaultdict(set)
        for project, volume, slot in (*self._mounted(containers, remembered), *_kept(remembered)):
            found[volume].add((project, slot))
        return {volume: (min(places)[0], tuple(sorted(slot for _, slot in places))) for volume, places in found.items()}

    def _mounted(
        self, containers: list[dict[str, Any]], remembered: Mapping[str, Memory]
    ) -> Iterator[tuple[str, str, str]]:
        claimed = {(row.get("Labels") or {}).get(labels.PROJECT, "") for row in containers}
        for project in sorted((claimed | remembered.keys()) - {""}):
            made = remembered[project].made if project in remembered else {}
            for row in our_rows(containers, project, self._instance, made).values():
                slot = f"{row['Labels'].get(labels.SERVICE, '')}/{row['Labels'].get(labels.SLOT, '')}"
                yield from ((project, volume, slot) for volume in _volumes_of(row))

    def _ended(self, containers: Iterable[Row]) -> dict[str, float]:
        """When each container that does not run ended, by its id; those that never ran are left out."""
        stopped = sorted({row["Id"] for row in containers if row["State"] not in LIVE})
        found = zip(stopped, self._executor.gather(inspect_or_none, stopped), strict=True)
        times = {key: seconds(json_value(raw or {}, "State", "FinishedAt") or "") for key, raw in found}
        return {key: at for key, at in times.items() if at > 0}

    def _row(
        self,
        raw: Row,
        owners: Mapping[str, tuple[str, tuple[str, ...]]],
        users: list[Row],
        ended: Mapping[str, float],
    ) -> VolumeRow:
        said = raw.get("Labels") or {}
        labelled = said.get(labels.PROJECT, "") if said.get(labels.INSTANCE) == self._instance else ""
        anonymous = _is_anonymous(raw["Name"])
        project, slots = owners.get(raw["Name"], ("", ()))
        size = json_value(raw, "UsageData", "Size")
        return VolumeRow(
            raw["Name"],
            raw.get("Driver") or "",
            ours=bool(labelled or (project and anonymous)),
            anonymous=anonymous,
            project=labelled or project,
            services=slots if anonymous else tuple(sorted({slot.partition("/")[0] for slot in slots})),
            size=None if size is None or size < 0 else size,
            created_at=seconds(raw.get("CreatedAt") or ""),
            in_use=any(row["State"] in LIVE for row in users),
            used_by=tuple(sorted(row_name(row) for row in users)),
            last_used=max((ended[row["Id"]] for row in users if row["Id"] in ended), default=None),
        )


def going_with(rows: Iterable[VolumeRow], removed: Collection[str]) -> tuple[VolumeRow, ...]:
    """Those of the volumes that may be removed once these containers, by name, are gone."""
    return tuple(row for row in rows if not refusal(replace(row, used_by=tuple(set(row.used_by) - set(removed)))))


def removal(row: VolumeRow) -> Operation:
    """The one operation by which data is lost."""
    return Operation(
        id=f"volume.remove:{row.name}",
        kind="volume.remove",
        resource=row.name,
        project=row.project,
        target=row.name,
        cause=(Difference(f"volumes.{row.name}", row.name, None, "", BY_HAND),),
    )


def _users(containers: Iterable[Row]) -> dict[str, list[Row]]:
    found: dict[str, list[Row]] = defaultdict(list)
    for row in containers:
        for volume in _volumes_of(row):
            found[volume].append(row)
    return found


def _volumes_of(row: Row) -> set[str]:
    return {mount["Name"] for mount in row.get("Mounts") or () if mount.get("Type") == "volume" and mount.get("Name")}


def _kept(remembered: Mapping[str, Memory]) -> Iterator[tuple[str, str, str]]:
    for project, memory in remembered.items():
        for (service, slot), paths in memory.volumes.items():
            yield from ((project, volume, f"{service}/{slot}") for volume in paths.values())


def _is_anonymous(name: str) -> bool:
    return len(name) == ANONYMOUS_DIGITS and not name.strip("0123456789abcdef")


def _stopped(error: EngineError | PolicyError, gone: tuple[VolumeRow, ...]) -> VolumeRefusedError:
    told = f"removed before: {', '.join(row.name for row in gone)}" if gone else "nothing was removed"
    return VolumeRefusedError(error.message, source=error.source, hint=told)


def _unjudged(_operation: Operation) -> None:
    """Policies are about what comes to be: what a person wants gone is not theirs."""


def _ignore(_text: str) -> None:
    """A removal says nothing on its way."""
