"""Writes history while the loop runs: one record per service whose containers it touches."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING

from reconciler.engine.times import seconds
from reconciler.executor import Finished
from reconciler.listeners import Silence
from reconciler.model import labels
from reconciler.model.desired import NEWEST, OTHER_DIGEST
from reconciler.model.history import ReplicaRecord, RolloutRecord, Trigger, Verdict
from reconciler.model.memory import Failure, Memory, Stable
from reconciler.model.observed import json_value
from reconciler.model.operation import Difference, Operation
from reconciler.model.project import Project
from reconciler.model.step import ServiceStatus, Step

if TYPE_CHECKING:
    from reconciler.errors import EngineError, PolicyError
    from reconciler.store import ProjectStore

DRAINS = {"container.kill", "container.exec", "container.http"}
DRIFT_FIELDS = {"state", "filesystem"}
DEPENDENCY_FIELDS = ("depends_on", "shares")
SHARING = {"network_mode", "pid", "ipc"}
PAUSED = {"Paused", "ImageGone"}
SUSPENDED = "Suspended"
GOING_BACK = {"RollingBack", "RolledBack", "Quarantined", *PAUSED}


class Recorder(Silence):
    """Keeps what is learned in the store, and a record of each service's rollout, as it happens.

    A record that an earlier run left open goes on, where the definition is still the same. `triggers` names what a
    person asked for, by service; `logs` are the last lines of failed containers, by name.
    """

    def __init__(
        self,
        store: ProjectStore,
        project: Project,
        clock: Callable[[], float],
        logs: Mapping[str, str],
        triggers: Mapping[str, Trigger],
    ) -> None:
        self._store = store
        self._project = project
        self._clock = clock
        self._logs = logs
        self._triggers = triggers
        self._records: dict[str, RolloutRecord] = {}
        self._replicas: dict[str, dict[str, ReplicaRecord]] = {}
        self._statuses: dict[str, ServiceStatus] = {}
        self._left_open: set[str] = set()
        for service in project.services:
            self._take_up(service.name)

    def remember(self, memory: Memory) -> None:
        """Save what has changed."""
        self._store.save(memory)

    def planned(self, step: Step) -> None:
        """Note replicas that are up, and definitions that became stable."""
        self._statuses = {status.name: status for status in step.services}
        for life, at in step.up:
            self._note_up(life, at)
        for stable in step.stable:
            self._hold(stable if stable.revision else self._store.add_revision(self._with_commit(stable)))

    def started(self, operation: Operation) -> None:
        """The first operation on a service's containers begins its record, or goes on with the one left open."""
        name = operation.service
        if not name or not operation.slot:
            return
        if name in self._left_open and self._begins_another(self._records[name], operation):
            self._interrupt(name)
        if name not in self._records:
            self._begin(name, operation)
        if operation.kind == "container.create":
            self._left_open.discard(name)
            self._learn_definition(self._records[name], _hash_of(operation))

    def finished(self, result: Finished) -> None:
        """Note the times of a replica's creation and start, of the stop of the one it replaces, a drain that failed."""
        operation, at = result.operation, result.ended_at
        record = self._records.get(operation.service or "")
        if record is None or not operation.slot:
            return
        if operation.kind in DRAINS:
            self._note_drain(record, operation, result.error)
        elif result.error:
            return
        elif operation.kind == "container.create" and result.container:
            self._add(record, operation, result.container, at)
        elif operation.kind == "container.start":
            self._note_start(record, result)
        elif operation.kind == "container.stop":
            self._note_stopped(record.service, operation.slot, operation.target, at)

    def failed(self, failure: Failure) -> None:
        """Keep the failure with its container's last words."""
        record = self._records.get(failure.service)
        if record and failure.service in self._left_open and self._is_another(record, failure.spec_hash):
            return
        for container, replica in self._replicas.get(failure.service, {}).items():
            if replica.container == failure.container:
                self._note(container, verdict=failure.message)
        if record:
            self._keep(replace(record, failure=failure, message=failure.message, logs=self._log_of(failure)))

    def close(self, *, stopped: bool) -> None:
        """Write how each rollout ended."""
        for name, record in self._records.items():
            status = self._statuses.get(name)
            verdict = _verdict(record, status, stopped=stopped)
            message = record.message or (status.message if status and verdict != "completed" else "")
            revision = record.revision if verdict == "completed" else 0
            kept = replace(record, ended_at=self._clock(), verdict=verdict, message=message, revision=revision)
            if kept.failure and status and status.reason in PAUSED:
                kept = replace(kept, failure=replace(kept.failure, rolled_back=False))
            self._keep(replace(kept, order=status.order if status else record.order))

    def _take_up(self, name: str) -> None:
        """Go on with what a run before this one left open; what a person has asked for since is another rollout."""
        for record in self._store.history(name, 1):
            if record.verdict == "running" and name not in self._triggers:
                self._left_open.add(name)
                self._records[name] = replace(record, taken_up=(*record.taken_up, self._clock()))
                self._replicas[name] = {item.id: item for batch in record.batches for item in batch}

    def _begins_another(self, record: RolloutRecord, operation: Operation) -> bool:
        """Whether a create shows that the definition is another one since, or another cause where it is not known."""
        if operation.kind != "container.create":
            return False
        if record.spec_hash:
            return self._is_another(record, _hash_of(operation))
        return record.cause != operation.cause and not self._goes_back(record.service)

    def _is_another(self, record: RolloutRecord, spec_hash: str) -> bool:
        """Whether that is not the definition that the record is about, nor the one that it goes back to."""
        return bool(record.spec_hash) and record.spec_hash != spec_hash and not self._goes_back(record.service)

    def _goes_back(self, name: str) -> bool:
        status = self._statuses.get(name)
        return status is not None and status.reason in GOING_BACK

    def _learn_definition(self, record: RolloutRecord, spec_hash: str) -> None:
        """What a record is about that began with the stop of an old replica."""
        if not record.spec_hash and not self._goes_back(record.service):
            self._keep(replace(record, spec_hash=spec_hash))

    def _interrupt(self, name: str) -> None:
        """Nobody goes on with what was left open."""
        self._left_open.discard(name)
        self._replicas.pop(name, None)
        self._records.pop(name)
        self._end_interrupted(name)

    def _begin(self, name: str, operation: Operation) -> None:
        status = self._statuses.get(name)
        record = RolloutRecord(
            number=0,
            project=self._project.name,
            service=name,
            trigger=self._triggers.get(name) or _trigger(operation),
            cause=operation.cause,
            order=status.order if status else "",
            began_at=self._clock(),
            spec_hash=_hash_of(operation),
            image=status.image if status else "",
            digest=status.digest if status else "",
            source_revision=self._project.revision,
        )
        self._end_interrupted(name)
        self._records[name] = self._store.begin(record)

    def _end_interrupted(self, name: str) -> None:
        for earlier in self._store.history(name, 1):
            if earlier.verdict == "running":
                self._store.update(replace(earlier, verdict="interrupted", ended_at=self._clock()))

    def _with_commit(self, stable: Stable) -> Stable:
        revision = self._project.revision
        return replace(stable, source_revision=revision.commit or None) if revision else stable

    def _hold(self, stable: Stable) -> None:
        """Note the revision that the rollout made; one left open whose definition is not the one that holds is over."""
        name = stable.service.name
        record = self._records.get(name)
        if record and name in self._left_open and self._is_another(record, stable.spec_hash):
            self._interrupt(name)
        elif record:
            self._records[name] = replace(record, revision=stable.revision)

    def _keep(self, record: RolloutRecord) -> None:
        whole = replace(record, batches=in_batches(list(self._replicas.get(record.service, {}).values())))
        self._records[record.service] = whole
        self._store.update(whole)

    def _add(self, record: RolloutRecord, operation: Operation, container: str, created_at: float) -> None:
        status = self._statuses.get(record.service)
        gate = status.gate if status else ""
        replica = ReplicaRecord(operation.slot or 0, operation.resource, gate, created_at, id=container)
        self._replicas.setdefault(record.service, {})[container] = replica
        self._keep(record)

    def _note(self, container: str, **found: float | str) -> None:
        for name, replicas in self._replicas.items():
            if container in replicas:
                replicas[container] = replace(replicas[container], **found)  # type: ignore[arg-type]
                self._keep(self._records[name])

    def _note_up(self, life: str, at: float) -> None:
        """Note a replica's coming up, once for each life of its container (`Memory.up`)."""
        container, _, started_at = life.partition("@")
        found = (replicas[container] for replicas in self._replicas.values() if container in replicas)
        if not any(item.up_at and item.started_at == float(started_at) for item in found):
            self._note(container, started_at=float(started_at), up_at=at, verdict="up")

    def _note_start(self, record: RolloutRecord, result: Finished) -> None:
        """A container of the record's definition may be new to it: the answer to its creation was lost."""
        seen, container = result.inspected or {}, result.operation.target
        known = container in self._replicas.get(record.service, {})
        made_of = json_value(seen, "Config", "Labels", labels.SPEC_HASH)
        if not known and made_of and made_of == record.spec_hash:
            self._add(record, result.operation, container, seconds(seen.get("Created") or ""))
        self._note(container, started_at=result.ended_at)

    def _note_stopped(self, service: str, slot: int, stopped: str, at: float) -> None:
        for container, replica in self._replicas.get(service, {}).items():
            if replica.slot == slot and container != stopped:
                self._note(container, old_stopped_at=at)

    def _note_drain(self, record: RolloutRecord, operation: Operation, error: EngineError | PolicyError | None) -> None:
        """Note that a replica was not drained, or that it was after all."""
        drained = f"{operation.service}/{operation.slot} ({operation.resource})"
        notes = tuple(note for note in record.notes if not note.startswith(drained))
        told = (f"{drained}: drain failed: {error.message}; stopped after its delay all the same",) if error else ()
        if (*notes, *told) != record.notes:
            self._keep(replace(record, notes=(*notes, *told)))

    def _log_of(self, failure: Failure) -> str:
        return self._logs.get(failure.container, "")


def in_batches(replicas: list[ReplicaRecord]) -> tuple[tuple[ReplicaRecord, ...], ...]:
    """The replicas that were replaced together, in order: a batch ends when all of it is up."""
    batches: list[list[ReplicaRecord]] = []
    for replica in sorted(replicas, key=lambda item: (item.created_at, item.slot)):
        ended = max((item.up_at or float("inf") for item in batches[-1]), default=0.0) if batches else 0.0
        if not batches or replica.created_at >= ended:
            batches.append([])
        batches[-1].append(replica)
    return tuple(tuple(batch) for batch in batches)


def _hash_of(operation: Operation) -> str:
    """The desired hash of what an operation creates; "" where it creates nothing."""
    found = json_value(operation.payload, "body", "Labels") or {}
    return str(found.get(labels.SPEC_HASH, ""))


def _trigger(operation: Operation) -> Trigger:
    if any(difference.field == "rollback" for difference in operation.cause):
        return "rollback"
    if operation.cause and all(_is_of_dependency(difference) for difference in operation.cause):
        return "dependency"
    if operation.cause and all(_is_followed(difference) for difference in operation.cause):
        return "image"
    by_hand = any("by hand" in item.reason or item.field in DRIFT_FIELDS for item in operation.cause)
    return "drift" if by_hand else "spec"


def _is_followed(difference: Difference) -> bool:
    """Whether a registry has something newer."""
    return difference.field == "image" and (difference.reason == OTHER_DIGEST or difference.reason.endswith(NEWEST))


def _is_of_dependency(difference: Difference) -> bool:
    """Whether a dependency was replaced (`depends_on.restart`), or the service whose namespace is joined."""
    another = difference.field in SHARING and difference.reason.endswith("is another one")
    return another or difference.field.startswith(DEPENDENCY_FIELDS)


def _verdict(record: RolloutRecord, status: ServiceStatus | None, *, stopped: bool) -> Verdict:
    if status is None:
        return "interrupted" if stopped else "completed"
    if status.reason == "RolledBack":
        return "rolled back"
    if status.reason == SUSPENDED and not record.failure:
        return "interrupted"
    if record.failure or status.reason:
        held = record.failure is not None or status.reason in PAUSED
        return "paused" if status.healthy and held else "failed"
    return "completed" if status.sync in {"Synced", "Modified"} else "interrupted"
